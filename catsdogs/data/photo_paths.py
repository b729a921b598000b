"""What a user names, files, folders and globs, to paths of photos."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from catsdogs.data.dataset import list_photos
from catsdogs.errors import DataError

_NUM_NAMED = 3
"""So many arguments that cannot be used are named in one line."""


def find_photos(arguments: Sequence[str]) -> list[Path]:
    """Files, folders and globs to photo paths, in the order of the arguments.

    A file that is there but cannot be read, a link that leads nowhere for example, counts as
    found: whoever reads it gets the reason.

    Raises:
        DataError: paths are missing, globs match nothing, folders hold no photos; names them.
    """
    paths, problems = [], []
    for argument in arguments:
        try:
            paths += _find(argument)
        except DataError as error:
            problems.append(str(error))
    if problems:
        more = len(problems) - _NUM_NAMED
        named = problems[:_NUM_NAMED] + ([f"and {more:,} more"] if more > 0 else [])
        raise DataError(", ".join(named))
    return paths


def _find(argument: str) -> list[Path]:
    if os.path.isdir(argument):  # noqa: PTH112 - Path's raises where a parent cannot be read
        found = list_photos(Path(argument))
        if not found:
            raise DataError(
                f"{argument} holds no photos: expected jpg, png, webp, gif, bmp or tiff"
            )
        return found
    try:
        os.lstat(argument)
        return [Path(argument)]
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise DataError(f"{argument} cannot be read ({str(error.strerror).lower()})") from None
    if not glob.has_magic(argument):
        raise DataError(f"{argument} does not exist")
    matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - Path has no ** from a root
    if not matches:
        raise DataError(f"{argument} matches no file")
    return find_photos(matches)
