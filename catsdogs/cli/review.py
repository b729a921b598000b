"""`catsdogs review`."""

import sys
from pathlib import Path
from typing import Any

import click

from catsdogs.cli.check import bring_back
from catsdogs.cli.options import (
    PATH,
    backbone_option,
    config_option,
    format_option,
    settings_option,
)
from catsdogs.cli.streams import answer, say
from catsdogs.cli.training_options import configuration
from catsdogs.errors import CatsdogsError, ConfigError


@click.command()
@click.argument("folder", metavar="[DIR]", required=False, type=PATH)
@backbone_option(
    "The network whose features are used.  [default: the quickest whose weights are here]"
)
@format_option("How the photos are listed; all but text are for programs.", ("text", "json", "csv"))
@click.option(
    "--output",
    metavar="FILE.html",
    default="review.html",
    show_default=True,
    type=PATH,
    help="The page to write, on which you say what each photo is.",
)
@config_option()
@settings_option("Set any key of the configuration, e.g. engine=keras.")
@click.option(
    "--apply",
    "apply_path",
    metavar="FILE.csv",
    type=PATH,
    help="Move photos as the decisions say that the page has saved, and review nothing.",
)
@click.option(
    "--quarantine",
    "quarantine_dir",
    metavar="DIR",
    type=PATH,
    help="Where --apply puts what is left out.  [default: beside DIR, named DIR-reviewed]",
)
@click.option(
    "--restore",
    "restore_dir",
    metavar="DIR",
    type=PATH,
    help="Bring back what --apply moved, left out into DIR or to another class.",
)
def review(
    folder: Path | None,
    format_name: str,
    output: Path,
    apply_path: Path | None,
    quarantine_dir: Path | None,
    restore_dir: Path | None,
    **flags: Any,
) -> None:
    """Rank the photos in DIR (default: data) that a person should see.

    Wrong labels, odd ones, copies, dark, bright and blurred ones; a page to decide on them.
    DIR is a folder of photos, or a CSV of them.

    \b
    catsdogs review data
    catsdogs review data --apply decisions.csv
    """
    if apply_path is not None and restore_dir is not None:
        raise ConfigError("--apply and --restore contradict each other: give one of them")
    if quarantine_dir is not None and apply_path is None:
        raise ConfigError("--quarantine says where --apply puts photos: give both")
    if restore_dir is not None:
        bring_back(restore_dir, folder)
        return
    config = configuration(flags)
    if folder is not None:
        data = config.data.model_copy(update={"dir": str(folder)})
        config = config.model_copy(update={"data": data})
    if apply_path is not None:
        _apply(apply_path, Path(config.data.dir), quarantine_dir)
        return
    from catsdogs.commands.review import review
    from catsdogs.console import Console
    from catsdogs.reporting.suspect_list import suspects_as_csv, suspects_as_json, suspects_as_text

    console = Console()
    result = review(config, output, console)
    match format_name:
        case "json":
            click.echo(suspects_as_json(result))
        case "csv":
            for line in suspects_as_csv(result.suspects):
                click.echo(line)
        case _:
            for line in suspects_as_text(result):
                answer(line)
    for path, reason in result.unreadable:
        console.warn(f"{path} is not among them: {reason}")
    for note in result.notes:
        console.note(note)
    console.note(f"saved {result.page_path}: open it to say what each photo is")


def _apply(path: Path, root: Path, folder: Path | None) -> None:
    from catsdogs.commands.review import apply
    from catsdogs.reporting.result_lines import unmoved_lines
    from catsdogs.reporting.suspect_list import decided_line

    result = apply(path, root, folder)
    for line in unmoved_lines(result.unmoved):
        say(line)
    answer(decided_line(result))
    if result.unmoved:
        sys.exit(CatsdogsError.exit_code)
