"""`catsdogs runs`."""

from pathlib import Path

import click

from catsdogs.cli.options import PATH, format_option
from catsdogs.cli.streams import answer, say
from catsdogs.text import printable


@click.command()
@click.option(
    "--dir",
    "folder",
    metavar="DIR",
    default="runs",
    show_default=True,
    type=PATH,
    help="The folder that holds the runs.",
)
@click.option("--best", is_flag=True, help="Sort by accuracy, the best first, instead of by time.")
@format_option("How the runs are written; JSON gives all that metrics.json holds.")
def runs(folder: Path, best: bool, format_name: str) -> None:
    """List the trainings so far with what each gave.

    \b
    catsdogs runs --best
    """
    from catsdogs.commands.runs import runs
    from catsdogs.reporting.run_table import format_json, format_table

    found = runs(folder, best)
    for run in found:
        if run.damage:
            say(f"note: {printable(run.damage)}")
    if format_name == "json":
        click.echo(format_json(found))
    elif found:
        for line in format_table(found):
            answer(line)
    else:
        say(f"no runs in {printable(str(folder))} yet: run `catsdogs train`")
