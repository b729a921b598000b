"""What a caller of the Python API gives: told apart, and refused in a line where it is nothing."""

import io
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from catsdogs.data.images import Photo
from catsdogs.errors import ConfigError


def is_one_photo(photos: object) -> bool:
    """Whether a caller gave one photo, and not several."""
    if isinstance(photos, np.ndarray):
        return photos.ndim != 4
    one = str | os.PathLike | bytes | bytearray | memoryview | Image.Image | io.IOBase
    return isinstance(photos, one) or not isinstance(photos, Iterable)


def given_path(value: object, key: str) -> Path:
    """A path that a caller gave; the empty one would be the current folder, and is refused.

    Raises:
        ConfigError: it is none.
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else ""
    if not isinstance(text, str) or not text or "\0" in text:
        raise ConfigError(f"{key} should be a path, got {value!r}")
    return Path(text)


def given_names(value: object) -> list[str]:
    """Class names that a caller gave.

    Raises:
        ConfigError: they are none; a text would be a class for each of its letters.
    """
    if isinstance(value, Iterable) and not isinstance(value, str):
        given = list(value)
        names = [name for name in given if isinstance(name, str)]
        if len(names) == len(given):
            return names
    raise ConfigError(f"class_names should be a list of texts, got {value!r}")


def name_of_photo(photos: Iterable[Photo]) -> str:
    """The first of some photos, for messages."""
    photo = next(iter(photos))
    return (
        str(photo) if isinstance(photo, str | Path) else f"a photo given as {type(photo).__name__}"
    )
