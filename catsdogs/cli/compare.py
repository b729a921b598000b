"""`catsdogs compare`."""

import sys
from pathlib import Path

import click

from catsdogs.cli.options import (
    PATH,
    class_names_option,
    engine_option,
    figures_format_option,
    precision_option,
)
from catsdogs.cli.streams import answer, say
from catsdogs.errors import CatsdogsError


@click.command()
@click.argument("a", metavar="A.h5", type=PATH)
@click.argument("b", metavar="B.h5", type=PATH)
@click.argument("folder", metavar="[DIR]", default="data", type=PATH)
@class_names_option
@figures_format_option
@click.option(
    "--fail-if-worse",
    is_flag=True,
    help="Exit with status 1 where B is shown to be worse than A, or where one of them was "
    "trained on these photos.",
)
@engine_option
@precision_option
def compare(
    a: Path,
    b: Path,
    folder: Path,
    class_names: list[str] | None,
    format_name: str,
    fail_if_worse: bool,
    engine: str,
    precision: str,
) -> None:
    """Tell which of two models is better on the same photos.

    DIR is a folder of photos, or a CSV of them (default: data).

    \b
    catsdogs compare models/catsdogs.head.h5 models/catsdogs.h5
    """
    from catsdogs.commands.compare import compare
    from catsdogs.console import Console
    from catsdogs.model.predictor import ModelRequest
    from catsdogs.reporting.comparison_output import compare_json, compare_lines
    from catsdogs.text import printable

    first, second = (ModelRequest(path, precision, class_names, engine) for path in (a, b))
    result = compare(first, second, folder, Console())
    if format_name == "json":
        click.echo(compare_json(result))
    else:
        for line in compare_lines(result):
            answer(line)
    if not fail_if_worse:
        return
    place = printable(str(result.folder))
    if result.trained_on:
        say(
            f"a model was trained on {place}, so that --fail-if-worse can tell nothing: "
            "give photos that neither has seen"
        )
    elif result.is_worse:
        say(printable(f"{b} is worse than {a}: --fail-if-worse"))
    else:
        return
    sys.exit(CatsdogsError.exit_code)
