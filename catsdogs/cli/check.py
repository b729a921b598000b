"""`catsdogs check`."""

import sys
from pathlib import Path

import click

from catsdogs.cli.options import PATH, config_option, format_option, settings_option
from catsdogs.cli.streams import answer, say
from catsdogs.errors import CatsdogsError, ConfigError


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
@config_option("A TOML file; its data.classes and data.group count.")
@settings_option("Set one of them, e.g. data.classes.tabby=cat.")
def check(
    folder: Path,
    format_name: str,
    fast: bool,
    quarantine_dir: Path | None,
    restore_dir: Path | None,
    config_path: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Find bad photos, copies and conflicts in DIR (default: data).

    DIR is a folder of photos, or a CSV of them.

    \b
    catsdogs check --quarantine bad_photos
    """
    source = click.get_current_context().get_parameter_source("folder")
    is_named = source is not click.core.ParameterSource.DEFAULT
    if restore_dir is not None:
        if quarantine_dir is not None:
            raise ConfigError("--quarantine and --restore contradict each other: give one of them")
        bring_back(restore_dir, folder if is_named else None)
        return
    from catsdogs.commands.check import check
    from catsdogs.config_file import assignments, load_config
    from catsdogs.console import Console
    from catsdogs.reporting.findings import findings_as_json, findings_as_text
    from catsdogs.reporting.result_lines import moved_lines, next_after_check

    config = load_config(config_path, assignments(settings)).data
    folder = folder if is_named else Path(config.dir)
    result = check(folder, fast, quarantine_dir, Console(), config)
    if format_name == "json":
        click.echo(findings_as_json(result))
    else:
        for line in findings_as_text(result):
            answer(line)
        if quarantine_dir is None and not result.is_clean:
            say(next_after_check(result.num_to_move, folder))
    for line in moved_lines(result.moved, result.unmoved, quarantine_dir):
        say(line)
    if not result.is_clean:
        sys.exit(CatsdogsError.exit_code)


def bring_back(folder: Path, root: Path | None) -> None:
    """Undo the moves that the manifest of a quarantine names; exits with 1 where some cannot be.

    Args:
        folder: of the quarantine.
        root: the data folder, where it was named.
    """
    from catsdogs.commands.check import undo
    from catsdogs.reporting.result_lines import left_lines, restored_line

    result = undo(folder, root)
    for line in left_lines(result.left):
        say(line)
    answer(restored_line(result.undone, folder))
    if result.left:
        sys.exit(CatsdogsError.exit_code)
