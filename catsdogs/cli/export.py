"""`catsdogs export`."""

from pathlib import Path
from typing import Any

import click

from catsdogs.cli.options import PATH, class_names_option, model_option, unknown_option
from catsdogs.cli.streams import answer


@click.command()
@click.argument("output", metavar="FILE", type=PATH)
@model_option
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["onnx", "tflite", "saved_model", "html"]),
    help="What is written.  [default: by the ending of FILE]",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "int8"]),
    help="What the weights are kept in.  [default: float32; float16 for html]",
)
@click.option(
    "--no-resize",
    is_flag=True,
    help="Take photos of the network's size alone, instead of any size.",
)
@click.option(
    "--data",
    metavar="DIR",
    type=PATH,
    help="Photos to check the file on.  [default: those that the model was validated with]",
)
@unknown_option
@class_names_option
def export(
    output: Path,
    model: Path,
    format_name: Any,
    precision: Any,
    no_resize: bool,
    data: Path | None,
    unknown: float | None,
    class_names: list[str] | None,
) -> None:
    """Write the model for other programs, phones and browsers.

    FILE ends in .onnx, .tflite or .html, or is a new folder for a SavedModel. It is asked about
    up to 200 photos in its own runtime, and kept only if it answers as the model does.

    \b
    catsdogs export models/catsdogs.onnx
    catsdogs export mine.html
    """
    from catsdogs.commands.export import ExportRequest, export
    from catsdogs.console import Console
    from catsdogs.exporting.model_writer import default_precision, format_of
    from catsdogs.reporting.export_output import export_lines

    wanted = format_name or format_of(output)
    request = ExportRequest(
        model,
        output,
        wanted,
        precision or default_precision(wanted),
        not no_resize,
        data,
        class_names,
        unknown,
    )
    for line in export_lines(export(request, Console())):
        answer(line)
