"""`catsdogs manifest`."""

import sys
from pathlib import Path

import click

from catsdogs.cli.options import PATH
from catsdogs.cli.streams import answer


@click.command()
@click.argument("folder", metavar="[DIR]", default="data", type=PATH)
@click.option(
    "--output",
    metavar="FILE",
    type=PATH,
    help="The CSV to write, to which its paths are relative.  [default: standard output, and "
    "relative to the current folder]",
)
def manifest(folder: Path, output: Path | None) -> None:
    """List the photos of DIR (default: data) in a CSV.

    Every command takes the CSV in the place of a folder.

    \b
    catsdogs manifest data > data.csv
    """
    from catsdogs.commands.manifest import manifest
    from catsdogs.text import counted, printable

    result = manifest(folder, output)
    if output is None:
        is_shown = sys.stdout.isatty()
        for line in result.lines:  # in a file, names in any encoding stay the names that they are
            click.echo(printable(line) if is_shown else line.encode("utf-8", "surrogateescape"))
    else:
        answer(f"saved {printable(str(output))}: {counted(result.num_photos, 'photo')}")
