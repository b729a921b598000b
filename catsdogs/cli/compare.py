"""`catsdogs compare`."""

from pathlib import Path

import click

from catsdogs.cli.options import (
    PATH,
    class_names_option,
    engine_option,
    figures_format_option,
    precision_option,
)
from catsdogs.cli.streams import answer


@click.command()
@click.argument("a", metavar="A.h5", type=PATH)
@click.argument("b", metavar="B.h5", type=PATH)
@click.argument("folder", metavar="[DIR]", default="data", type=PATH)
@class_names_option
@figures_format_option
@engine_option
@precision_option
def compare(
    a: Path,
    b: Path,
    folder: Path,
    class_names: list[str] | None,
    format_name: str,
    engine: str,
    precision: str,
) -> None:
    """Tell which of two models is better on the same photos.

    \b
    catsdogs compare models/catsdogs.head.h5 models/catsdogs.h5
    """
    from catsdogs.commands.compare import compare
    from catsdogs.console import Console
    from catsdogs.reporting.comparison_output import compare_json, compare_lines

    result = compare(a, b, folder, precision, Console(), class_names, engine)
    if format_name == "json":
        click.echo(compare_json(result))
    else:
        for line in compare_lines(result):
            answer(line)
