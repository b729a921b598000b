"""`catsdogs cache`."""

from pathlib import Path

import click

from catsdogs.cli.options import PATH
from catsdogs.cli.streams import answer


@click.command()
@click.option(
    "--dir", "folder", metavar="DIR", type=PATH, help="The cache folder.  [default: the user's]"
)
@click.option("--clear", is_flag=True, help="Delete all stored features.")
def cache(folder: Path | None, clear: bool) -> None:
    """Show what the feature store holds, or empty it.

    \b
    catsdogs cache
    catsdogs cache --clear
    """
    from catsdogs.commands import cache as command
    from catsdogs.config import CacheConfig
    from catsdogs.errors import DataError
    from catsdogs.files import exists, is_dir
    from catsdogs.reporting.cache_table import cache_lines, cleared_line
    from catsdogs.training.cache_folder import cache_dir

    if folder is not None and not is_dir(folder):
        problem = f"{folder} is a file" if exists(folder) else f"no folder {folder}"
        raise DataError(f"{problem}: choose another", key="folder")
    config = CacheConfig(dir=str(folder or ""))
    place = cache_dir(config)
    if clear:
        answer(cleared_line(command.clear(config), place))
        return
    for line in cache_lines(command.cache(config), place):
        answer(line)
