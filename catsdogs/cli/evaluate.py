"""`catsdogs evaluate`."""

import sys
from pathlib import Path

import click

from catsdogs.cli.options import (
    PATH,
    class_names_option,
    engine_option,
    figures_format_option,
    model_option,
    precision_option,
    unknown_option,
)
from catsdogs.cli.streams import answer, say
from catsdogs.errors import CatsdogsError


def _share(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 <= value <= 1:  # refuses nan as well
        raise click.BadParameter(f"expected a share from 0 to 1, got {value:g}")
    return value


@click.command()
@click.argument("folder", metavar="[DIR]", default="data", type=PATH)
@model_option
@class_names_option
@figures_format_option
@click.option(
    "--min-accuracy",
    metavar="X",
    type=float,
    callback=_share,
    help="Exit with status 1 where the accuracy is below X, from 0 to 1, or where the model was "
    "trained on these photos.",
)
@click.option(
    "--predictions",
    metavar="FILE",
    type=PATH,
    help="Write the answer for each photo, as CSV.",
)
@unknown_option
@engine_option
@precision_option
def evaluate(
    folder: Path,
    model: Path,
    class_names: list[str] | None,
    format_name: str,
    min_accuracy: float | None,
    predictions: Path | None,
    unknown: float | None,
    engine: str,
    precision: str,
) -> None:
    """Measure a model on the test photos of DIR (default: data).

    DIR is a folder of photos, or a CSV of them.

    \b
    catsdogs evaluate --predictions answers.csv
    """
    from catsdogs.commands.evaluate import evaluate
    from catsdogs.console import Console
    from catsdogs.model.predictor import ModelRequest
    from catsdogs.reporting.evaluation_output import evaluate_json, evaluate_lines
    from catsdogs.text import printable

    request = ModelRequest(model, precision, class_names, engine, unknown)
    result = evaluate(folder, request, predictions, Console())
    if format_name == "json":
        click.echo(evaluate_json(result))
    else:
        for line in evaluate_lines(result):
            answer(line)
    if min_accuracy is None:
        return
    accuracy, place = result.evaluation.accuracy, printable(str(result.folder))
    if result.evaluation.trained_on:  # a gate that anything passes is worse than none
        say(
            f"the model was trained on {place}, so that --min-accuracy can tell nothing: "
            "give photos that it has not seen"
        )
    elif accuracy < min_accuracy:
        say(f"accuracy {accuracy:.4f} is below the {min_accuracy:g} of --min-accuracy")
    else:
        return
    sys.exit(CatsdogsError.exit_code)
