"""Writing files so that a reader finds the old one whole, or the new one whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from catsdogs.errors import DataError


@contextmanager
def replacing(path: Path, option: str = "--output") -> Iterator[Path]:
    """Give a path beside `path` to write to, and rename it into place at the end.

    It has the suffix of `path`. Where anything goes wrong, the old file stays as it was and
    nothing is left behind.

    Args:
        path: what is written.
        option: what the user chooses another place by.

    Raises:
        DataError: the folder cannot be made or written, or the disk is full.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        raise not_writable(path, error, option) from None
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            part.unlink()


def check_writable(path: Path, option: str = "--output") -> None:
    """Find out before long work whether its result can be written.

    Args:
        path: what will be written.
        option: what the user chooses another place by.

    Raises:
        DataError: the folder cannot be made or written, or a folder stands in the way.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(None, "is a folder")
        part.touch()
        part.unlink()
    except OSError as error:
        raise not_writable(path, error, option) from None


def not_writable(path: Path, error: OSError, option: str) -> DataError:
    """The error for a path that cannot be written, with the option that gives another."""
    reason = (error.strerror or str(error)).lower()
    return DataError(f"{path} cannot be written ({reason}): choose another place by {option}")
