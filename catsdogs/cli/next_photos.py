"""`catsdogs next`."""

import sys
from pathlib import Path

import click

from catsdogs.cli.options import PATH, NumberType, engine_option, format_option, model_option


@click.command("next")
@click.argument("folder", metavar="DIR", type=PATH)
@model_option
@click.option(
    "--count",
    metavar="N",
    default=50,
    show_default=True,
    type=NumberType(1),
    help="How many photos to choose.",
)
@format_option("How they are listed; all but text are for programs.", ("text", "json", "csv"))
@click.option(
    "--copy-to",
    metavar="DIR",
    type=PATH,
    help="A new or empty folder to copy them into.",
)
@engine_option
def next_photos(
    folder: Path, model: Path, count: int, format_name: str, copy_to: Path | None, engine: str
) -> None:
    """Choose photos in DIR, which have no label yet, to label next.

    Those that the model is unsure of, and that differ from each other. What that
    gains beside photos at random is in docs/review.md: with many classes most.

    \b
    catsdogs next unlabelled --count 100 --copy-to to_label
    """
    from catsdogs.commands.next_photos import next_photos
    from catsdogs.console import Console
    from catsdogs.model.predictor import ModelRequest
    from catsdogs.reporting.next_list import next_lines
    from catsdogs.reporting.table import path_last

    console = Console()
    result = next_photos(folder, ModelRequest(model, engine=engine), count, copy_to, console)
    names = [photo.class_name for photo in result.photos]
    is_for_people = sys.stdout.isatty() and format_name == "text"
    for line in next_lines(result, format_name):
        click.echo(path_last(line, names) if is_for_people else line)
    if result.left_out:
        console.note(f"left out: {result.left_out}")
    for path, reason in result.unreadable:
        console.warn(f"{path} is not among them: {reason}")
