"""`catsdogs report` and `catsdogs runs`: what trainings gave, on a page and in a table."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--dir",
    "folder",
    metavar="DIR",
    default="runs",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The folder that holds the runs.",
)
@click.option("--best", is_flag=True, help="By accuracy, the best first; otherwise by time.")
@click.option(
    "--format",
    "format_name",
    default="text",
    show_default=True,
    type=click.Choice(["text", "json"]),
    help="JSON gives all that metrics.json holds.",
)
def runs(folder: Path, best: bool, format_name: str) -> None:
    """List the trainings so far with what each gave.

    \b
    catsdogs runs --best
    """
    from catsdogs.commands.runs import runs
    from catsdogs.reporting.run_table import format_json, format_table
    from catsdogs.reporting.text import printable

    found = runs(folder, best)
    for run in found:
        if run.damage:
            click.echo(f"note: {printable(run.damage)}", err=True)
    if format_name == "json":
        click.echo(format_json(found))
    elif found:
        for line in format_table(found):
            click.echo(line)
    else:
        click.echo(f"no runs in {printable(str(folder))} yet: run `catsdogs train`", err=True)
