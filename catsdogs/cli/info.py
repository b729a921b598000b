"""`catsdogs info`."""

import click

from catsdogs.cli.streams import answer
from catsdogs.text import printable


@click.command()
def info() -> None:
    """Show what a training stands on here, and what makes it slow.

    \b
    catsdogs info
    """
    from catsdogs.commands.info import info

    facts = info()
    width = max(map(len, facts))
    for name, fact in facts.items():
        answer(f"{name:{width}}  {printable(fact)}", indent=width + 2)
