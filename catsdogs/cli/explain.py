"""`catsdogs explain`."""

import sys
from pathlib import Path

import click

from catsdogs.cli.completion import complete_files
from catsdogs.cli.options import PATH, engine_option, model_option, precision_option
from catsdogs.cli.streams import say
from catsdogs.errors import CatsdogsError


@click.command()
@click.argument(
    "images", metavar="PHOTO...", nargs=-1, required=True, shell_complete=complete_files
)
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
    type=PATH,
    help="A .png for one photo, or a folder.  [default: the current folder; "
    "explained/ for several]",
)
@engine_option
@precision_option
def explain(
    images: tuple[str, ...],
    model: Path,
    class_name: str | None,
    output: Path | None,
    engine: str,
    precision: str,
) -> None:
    """Show where in a photo the model sees what it names.

    \b
    catsdogs explain image.jpg
    """
    from catsdogs.commands.explain import explain
    from catsdogs.console import Console
    from catsdogs.model.predictor import ModelRequest
    from catsdogs.reporting.predictions import ERROR
    from catsdogs.reporting.result_lines import explanation_line
    from catsdogs.reporting.table import path_last

    console = None if sys.stdout.isatty() else Console()
    request = ModelRequest(model, precision, engine=engine)
    num_photos = num_failed = 0
    for picture in explain(images, request, class_name, output, console):
        num_photos += 1
        num_failed += bool(picture.error)
        line = explanation_line(picture)
        click.echo(path_last(line, [ERROR]) if sys.stdout.isatty() else line)
    if num_failed:
        say(f"{num_failed:,} of {num_photos:,} photos could not be read")
        sys.exit(CatsdogsError.exit_code)
