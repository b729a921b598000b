"""`catsdogs sample`."""

from pathlib import Path

import click

from catsdogs.cli.options import PATH
from catsdogs.cli.streams import answer


@click.command()
@click.argument("folder", metavar="[DIR]", default="data", type=PATH)
def sample(folder: Path) -> None:
    """Unpack the built-in photos into DIR (default: data).

    \b
    catsdogs sample
    """
    from catsdogs.commands.sample import sample
    from catsdogs.reporting.result_lines import sample_line

    answer(sample_line(sample(folder)))
