"""What a user names, files, folders and globs, to paths of photos."""

import glob
from collections.abc import Sequence
from pathlib import Path

from catsdogs.data.dataset import list_photos
from catsdogs.errors import DataError


def find_photos(arguments: Sequence[str]) -> list[Path]:
    """Files, folders and globs to photo paths, in the order of the arguments.

    Raises:
        DataError: a path is missing, a glob matches nothing, a folder holds no photos.
    """
    paths = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = list_photos(path)
            if not found:
                raise DataError(
                    f"{path} holds no photos: expected jpg, png, webp, gif, bmp or tiff"
                )
            paths += found
        elif path.exists():
            paths.append(path)
        elif glob.has_magic(argument):
            matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - Path has no ** from a root
            if not matches:
                raise DataError(f"{argument} matches no file")
            paths += find_photos(matches)
        else:
            raise DataError(f"{argument} does not exist")
    return paths
