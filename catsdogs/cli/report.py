"""`catsdogs report`."""

from pathlib import Path

import click

from catsdogs.cli.options import PATH
from catsdogs.cli.streams import answer


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
    """Write a page on a run: how good its model is, where it fails.

    RUN is a folder in runs/, or its name; the newest finished one by default.

    \b
    catsdogs report
    """
    from catsdogs.commands.report import report
    from catsdogs.console import Console
    from catsdogs.reporting.result_lines import report_lines

    for line in report_lines(report(run, output, data, model, Console())):
        answer(line)
