"""`catsdogs check`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from catsdogs.cli.options import PATH, format_option
from catsdogs.errors import CatsdogsError, ConfigError
from catsdogs.text import counted, printable

if TYPE_CHECKING:
    from catsdogs.commands.check import CheckResult


@click.command()
@click.argument("folder", metavar="[DIR]", default="data", type=PATH)
@format_option("How the findings are written; JSON is for programs.")
@click.option(
    "--fast",
    is_flag=True,
    help="Read headers and compare contents alone: no decoding, no near copies.",
)
@click.option(
    "--quarantine",
    "quarantine_dir",
    metavar="DIR",
    type=PATH,
    help="The folder to move unusable and contradictory photos to.",
)
@click.option(
    "--restore",
    "restore_dir",
    metavar="DIR",
    type=PATH,
    help="Bring back what --quarantine moved to DIR, and check nothing.",
)
def check(
    folder: Path,
    format_name: str,
    fast: bool,
    quarantine_dir: Path | None,
    restore_dir: Path | None,
) -> None:
    """Find bad photos, copies and conflicts in DIR (default: data).

    \b
    catsdogs check --quarantine bad_photos
    """
    if restore_dir is not None:
        if quarantine_dir is not None:
            raise ConfigError("--quarantine and --restore contradict each other: give one of them")
        source = click.get_current_context().get_parameter_source("folder")
        is_named = source is not click.core.ParameterSource.DEFAULT
        _restore(restore_dir, folder if is_named else None)
        return
    from catsdogs.commands.check import check
    from catsdogs.console import Console
    from catsdogs.reporting.findings import findings_as_json, findings_as_text

    result = check(folder, fast, quarantine_dir, Console())
    if format_name == "json":
        click.echo(findings_as_json(result))
    else:
        for line in findings_as_text(result):
            click.echo(line)
    _tell_about_quarantine(result, quarantine_dir)
    if not result.is_clean:
        sys.exit(CatsdogsError.exit_code)


def _tell_about_quarantine(result: "CheckResult", folder: Path | None) -> None:
    for path, reason in result.unmoved:
        click.echo(f"{printable(str(path))} could not be moved: {reason}", err=True)
    if result.moved is not None:
        where = printable(str(folder))
        undone = f"; `catsdogs check --restore {where}` brings them back" if result.moved else ""
        click.echo(f"{counted(len(result.moved), 'file')} moved to {where}{undone}", err=True)


def _restore(folder: Path, root: Path | None) -> None:
    from catsdogs.commands.check import undo

    result = undo(folder, root)
    for path, reason in result.left:
        click.echo(f"{printable(str(path))} stays where it is: {printable(reason)}", err=True)
    click.echo(f"{counted(len(result.undone), 'file')} brought back from {printable(str(folder))}")
    if result.left:
        sys.exit(CatsdogsError.exit_code)
