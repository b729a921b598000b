"""`catsdogs sample`."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="[DIR]", default="data", type=click.Path(path_type=Path))
def sample(folder: Path) -> None:
    """Unpack the built-in photos into DIR (default: data).

    \b
    catsdogs sample
    """
    from catsdogs.commands.sample import sample

    result = sample(folder)
    written = f"{result.num_written:,} written" if result.num_written else "all there already"
    click.echo(f"{result.folder}: {result.num_photos:,} photos of cats and dogs, {written}")
