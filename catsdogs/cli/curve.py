"""`catsdogs curve`."""

from pathlib import Path
from typing import Any

import click

from catsdogs.cli.options import (
    PATH,
    backbone_option,
    config_option,
    data_option,
    settings_option,
)
from catsdogs.cli.streams import answer
from catsdogs.cli.training_options import configuration


@click.command()
@data_option
@backbone_option()
@click.option("--output", metavar="FILE", type=PATH, help="A PNG to draw the curve into.")
@config_option()
@settings_option("Set any key of the configuration, e.g. head.class_weights=balanced.")
def curve(output: Path | None, **flags: Any) -> None:
    """Show what more photos give: accuracy against their number.

    \b
    catsdogs curve --output curve.png
    """
    config = configuration(flags)
    from catsdogs.network.backend import BACKENDS, backend_name, import_backend

    if backend_name() != BACKENDS[0]:  # which is imported where it has to compute
        import_backend()
    from catsdogs.commands.curve import curve
    from catsdogs.console import Console
    from catsdogs.reporting.curve_picture import curve_lines

    result = curve(config, Console(), output)
    for line in curve_lines(result.points, result.law, output):
        answer(line)
