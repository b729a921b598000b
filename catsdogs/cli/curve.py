"""`catsdogs curve`."""

from pathlib import Path
from typing import Any

import click

from catsdogs.cli.completion import complete_backbones
from catsdogs.cli.options import PATH, KeyOption, config_option, settings_option
from catsdogs.cli.streams import answer
from catsdogs.cli.training_options import configuration


@click.command()
@config_option()
@click.option(
    "--data",
    cls=KeyOption,
    key="data.dir",
    metavar="DIR",
    type=PATH,
    help="The folder of photos, or a CSV of them.  [default: data]",
)
@click.option(
    "--backbone",
    cls=KeyOption,
    key="model.backbone",
    metavar="NAME",
    shell_complete=complete_backbones,
    help="The pretrained network; auto compares those of `catsdogs backbones`.  [default: vgg16]",
)
@settings_option("Set any key of the configuration, e.g. head.class_weights=balanced.")
@click.option("--output", metavar="FILE", type=PATH, help="A PNG to draw the curve into.")
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
