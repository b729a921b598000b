"""`catsdogs evaluate`, `catsdogs compare` and `catsdogs explain`: how far to trust a model."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from catsdogs.cli.options import (
    class_names_option,
    format_option,
    model_option,
    precision_option,
)
from catsdogs.errors import CatsdogsError
from catsdogs.text import counted, printable

if TYPE_CHECKING:
    from catsdogs.commands.compare import CompareResult
    from catsdogs.commands.evaluate import EvaluateResult

_format = format_option("JSON has every figure at full precision.")


def _share(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 <= value <= 1:  # refuses nan as well
        raise click.BadParameter(f"expected a share from 0 to 1, got {value:g}")
    return value


@click.command()
@click.argument("folder", metavar="[DIR]", default="data", type=click.Path(path_type=Path))
@model_option
@class_names_option
@_format
@click.option(
    "--min-accuracy",
    metavar="X",
    type=float,
    callback=_share,
    help="Exit with status 1 where the accuracy is below, 0 to 1.",
)
@click.option(
    "--predictions",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the answer for each photo, as CSV.",
)
@precision_option
def evaluate(
    folder: Path,
    model: Path,
    class_names: list[str] | None,
    format_name: str,
    min_accuracy: float | None,
    predictions: Path | None,
    precision: str,
) -> None:
    """Measure a model on the test photos of DIR (default: data).

    \b
    catsdogs evaluate --predictions answers.csv
    """
    from catsdogs.network.backend import import_backend

    import_backend()
    from catsdogs.commands.evaluate import evaluate
    from catsdogs.console import Console

    result = evaluate(folder, model, precision, predictions, Console(), class_names)
    if format_name == "json":
        click.echo(_json(_evaluate_record(result)))
    else:
        click.echo("\n".join(_evaluate_lines(result)))
    accuracy = result.evaluation.accuracy
    if min_accuracy is not None and accuracy < min_accuracy:
        click.echo(
            f"accuracy {accuracy:.4f} is below the {min_accuracy:g} of --min-accuracy", err=True
        )
        sys.exit(CatsdogsError.exit_code)


def _evaluate_lines(result: "EvaluateResult") -> list[str]:
    from catsdogs.reporting.evaluation_output import evaluation_lines

    where = printable(f"{result.model_path} on {result.folder}")
    return [
        f"{where}: {_photos(result.evaluation.num_photos, len(result.unreadable))}",
        "",
        *evaluation_lines(result.evaluation),
    ]


def _evaluate_record(result: "EvaluateResult") -> dict[str, Any]:
    from catsdogs.reporting.evaluation_output import evaluation_record

    return {
        "model": str(result.model_path),
        "folder": str(result.folder),
        "class_names": list(result.evaluation.class_names),
        **evaluation_record(result.evaluation),
        "unreadable": _reasons(result.unreadable),
    }


@click.command()
@click.argument("a", metavar="A.h5", type=click.Path(path_type=Path))
@click.argument("b", metavar="B.h5", type=click.Path(path_type=Path))
@click.argument("folder", metavar="[DIR]", default="data", type=click.Path(path_type=Path))
@class_names_option
@_format
@precision_option
def compare(
    a: Path,
    b: Path,
    folder: Path,
    class_names: list[str] | None,
    format_name: str,
    precision: str,
) -> None:
    """Tell which of two models is better on the same photos.

    \b
    catsdogs compare models/catsdogs.head.h5 models/catsdogs.h5
    """
    from catsdogs.network.backend import import_backend

    import_backend()
    from catsdogs.commands.compare import compare
    from catsdogs.console import Console

    result = compare(a, b, folder, precision, Console(), class_names)
    if format_name == "json":
        click.echo(_json(_compare_record(result)))
    else:
        click.echo("\n".join(_compare_lines(result)))


def _compare_lines(result: "CompareResult") -> list[str]:
    from catsdogs.reporting.evaluation_output import align

    models = [("A", result.path_a, result.a), ("B", result.path_b, result.b)]
    counts = {
        "both right": result.num_both,
        "only A right": result.num_only_a,
        "only B right": result.num_only_b,
        "neither right": result.num_neither,
    }
    return [
        f"{printable(str(result.folder))}: {_photos(result.a.num_photos, len(result.unreadable))}",
        "",
        *align(
            (
                letter,
                str(path),
                f"accuracy {e.accuracy:.4f}",
                "95% interval {:.4f} to {:.4f}".format(*e.interval),
                f"log loss {e.loss:.4f}",
            )
            for letter, path, e in models
        ),
        "",
        *align(((name, f"{count:,}") for name, count in counts.items()), right=(1,)),
        "",
        result.verdict,
    ]


def _compare_record(result: "CompareResult") -> dict[str, Any]:
    models = {"a": (result.path_a, result.a), "b": (result.path_b, result.b)}
    return {
        "folder": str(result.folder),
        "class_names": list(result.a.class_names),
        "num_photos": result.a.num_photos,
        **{
            letter: {
                "model": str(path),
                "num_correct": e.num_correct,
                "accuracy": e.accuracy,
                "interval": list(e.interval),
                "log_loss": e.loss,
            }
            for letter, (path, e) in models.items()
        },
        "both_right": result.num_both,
        "only_a_right": result.num_only_a,
        "only_b_right": result.num_only_b,
        "neither_right": result.num_neither,
        "p_value": result.p_value,
        "verdict": result.verdict,
        "unreadable": _reasons(result.unreadable),
    }


@click.command()
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@model_option
@click.option(
    "--class",
    "class_name",
    metavar="NAME",
    help="The class to look for.  [default: each photo's most probable]",
)
@click.option(
    "--output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="A .png for one photo, or a folder.  [default: the current folder; "
    "explained/ for several]",
)
@precision_option
def explain(
    images: tuple[str, ...],
    model: Path,
    class_name: str | None,
    output: Path | None,
    precision: str,
) -> None:
    """Show where in a photo the model sees what it names.

    \b
    catsdogs explain image.jpg
    """
    from catsdogs.network.backend import import_backend

    import_backend()
    from catsdogs.commands.explain import explain
    from catsdogs.console import Console

    console = None if sys.stdout.isatty() else Console()
    num_photos = num_failed = 0
    for picture in explain(images, model, class_name, output, precision, console):
        num_photos += 1
        path = printable(str(picture.path))
        if picture.error:
            num_failed += 1
            click.echo(f"{path}\terror\t{printable(picture.error)}")
        else:
            name = printable(picture.class_name)
            click.echo(
                f"{path}\t{name}\t{picture.probability:.4f}\t{printable(str(picture.output_path))}"
            )
    if num_failed:
        click.echo(f"{num_failed:,} of {num_photos:,} photos could not be read", err=True)
        sys.exit(CatsdogsError.exit_code)


def _photos(num_read: int, num_unreadable: int) -> str:
    return counted(num_read, "photo") + (
        f", {num_unreadable:,} more could not be read" if num_unreadable else ""
    )


def _reasons(unreadable: tuple[tuple[Path, str], ...]) -> list[dict[str, str]]:
    return [{"path": str(path), "error": reason} for path, reason in unreadable]


def _json(record: dict[str, Any]) -> str:
    import json

    return json.dumps(record, indent=1, allow_nan=False)
