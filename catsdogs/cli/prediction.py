"""`catsdogs predict`."""

import sys
from pathlib import Path

import click

from catsdogs.errors import CatsdogsError


def _split_names(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> list[str] | None:
    return None if value is None else [name.strip() for name in value.split(",")]


class_names_option = click.option(
    "--classes",
    "class_names",
    metavar="NAME,NAME",
    callback=_split_names,
    help="Of a plain Keras model, in the order of its output.",
)
"""For every command that asks a model."""


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--model",
    metavar="FILE",
    default="models/catsdogs.h5",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The model to ask.",
)
@class_names_option
@click.option(
    "--top",
    metavar="K",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Lines a photo, the most probable class first; text only.",
)
@click.option(
    "--format",
    "format_name",
    default="text",
    show_default=True,
    type=click.Choice(["text", "json", "jsonl", "csv"]),
    help="All but text give the probabilities of all classes.",
)
@click.option(
    "--precision",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    help="What the network computes in.",
)
def predict(
    paths: tuple[str, ...],
    model: Path,
    class_names: list[str] | None,
    top: int,
    format_name: str,
    precision: str,
) -> None:
    """Name what is in photos: files, folders or globs.

    \b
    catsdogs predict image.jpg
    """
    from catsdogs.modeling.backend import import_backend

    import_backend()
    from catsdogs.commands.predict import predict
    from catsdogs.reporting.console import Console
    from catsdogs.reporting.predictions import write_predictions
    from catsdogs.reporting.text import printable

    # on a terminal the answers themselves show the progress, and a bar would break their lines
    on_terminal = sys.stdout.isatty()
    console = None if on_terminal else Console()
    result = predict(paths, model, precision, console, class_names)

    def write(line: str) -> None:
        # a CSV keeps every name as it is: good for a file, not for a terminal
        click.echo(printable(line) if on_terminal and format_name == "csv" else line)

    num_failed = write_predictions(result.predictions, result.class_names, format_name, top, write)
    if num_failed:
        click.echo(f"{num_failed:,} of {result.num_photos:,} photos could not be read", err=True)
        sys.exit(CatsdogsError.exit_code)
