"""`catsdogs report`."""

from pathlib import Path

import click

from catsdogs.cli.options import PATH
from catsdogs.text import counted, printable


@click.command()
@click.argument("run", metavar="[RUN]", required=False, type=PATH)
@click.option(
    "--output",
    metavar="FILE.html",
    type=PATH,
    help="The page to write.  [default: report.html in the run's folder]",
)
@click.option(
    "--data",
    metavar="DIR",
    type=PATH,
    help="The photos to evaluate.  [default: test/, else validation/, of the run's data]",
)
@click.option(
    "--model",
    metavar="FILE",
    type=PATH,
    help="The model to evaluate.  [default: the one that the run saved]",
)
def report(run: Path | None, output: Path | None, data: Path | None, model: Path | None) -> None:
    """Write a page about a run: how good its model is, where it fails.

    RUN is a folder in runs/, or its name; the newest finished one by default.

    \b
    catsdogs report
    """
    from catsdogs.network.backend import import_backend

    import_backend()
    from catsdogs.commands.report import report
    from catsdogs.console import Console

    result = report(run, output, data, model, Console())
    if result.num_unreadable:
        verb = "is" if result.num_unreadable == 1 else "are"
        photos = counted(result.num_unreadable, "photo")
        click.echo(f"{photos} could not be read and {verb} not counted")
    click.echo(str(result.score))
    click.echo(f"saved {printable(str(result.path))} ({result.num_bytes / 1e6:.1f} MB)")
