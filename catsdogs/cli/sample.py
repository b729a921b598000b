"""`catsdogs sample`."""

from pathlib import Path

import click

from catsdogs.cli.options import PATH
from catsdogs.text import printable


@click.command()
@click.argument("folder", metavar="[DIR]", default="data", type=PATH)
def sample(folder: Path) -> None:
    """Unpack the built-in photos into DIR (default: data).

    \b
    catsdogs sample
    """
    from catsdogs.commands.sample import sample

    result = sample(folder)
    written = f"{result.num_written:,} written" if result.num_written else "all there already"
    click.echo(
        f"{printable(str(result.folder))}: {result.num_photos:,} photos of cats and dogs, {written}"
    )
