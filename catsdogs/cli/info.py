"""`catsdogs info`."""

import click

from catsdogs.text import printable


@click.command()
def info() -> None:
    """Show what a training would stand on here, and what makes it slow.

    \b
    catsdogs info
    """
    from catsdogs.commands.info import info

    facts = info()
    width = max(map(len, facts))
    for name, fact in facts.items():
        click.echo(f"{name:{width}}  {printable(fact)}")
