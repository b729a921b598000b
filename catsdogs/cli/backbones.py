"""`catsdogs backbones`."""

import click


@click.command()
def backbones() -> None:
    """List the pretrained networks and what each costs and gives.

    \b
    catsdogs backbones
    """
    from catsdogs.commands.backbones import backbones
    from catsdogs.reporting.backbone_table import format_table

    for line in format_table(backbones()):
        click.echo(line)
