"""`catsdogs info`."""

import click


@click.command()
def info() -> None:
    """Show versions, device, precision, source of the weights.

    \b
    catsdogs info
    """
    from catsdogs.network.backend import import_backend

    import_backend()
    from catsdogs.commands.info import info

    facts = info()
    width = max(map(len, facts))
    for name, fact in facts.items():
        click.echo(f"{name:{width}}  {fact}")
