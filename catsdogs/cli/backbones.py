"""`catsdogs backbones`."""

import click

from catsdogs.cli.streams import answer


@click.command()
def backbones() -> None:
    """List the pretrained networks and what each costs and gives.

    \b
    catsdogs backbones
    """
    from catsdogs.commands.backbones import backbones
    from catsdogs.reporting.backbone_table import format_table

    for line in format_table(backbones()):
        answer(line)
