"""The bytes of a photo file: read once, named by their hash."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from catsdogs.errors import DataError

MAX_BYTES = 320_000_000
"""Larger files are refused before reading: the most pixels that are decoded, uncompressed."""
_CHUNK_BYTES = 2**18


class TooLargeError(DataError):
    """A photo that would take more memory or time than photos do."""


@contextmanager
def open_file(path: Path) -> Iterator[BufferedReader]:
    """Open a file for reading; a pipe, a socket or a device is refused instead of waited for.

    Raises:
        DataError: it cannot be opened, or reading fails; the reason alone, without the path.
    """
    if "\0" in str(path):
        raise DataError("no file has a NUL in its name")
    try:
        _refuse_special(path.stat())  # opening alone has side effects on some devices
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            _refuse_special(os.fstat(file.fileno()))
            yield file
    except OSError as error:
        raise DataError((error.strerror or str(error)).lower()) from None


def _refuse_special(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise DataError("is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise DataError("a pipe, socket or device, not a file")


def read_content(path: Path) -> bytes:
    """The bytes of a photo file, read once.

    Raises:
        DataError: the file cannot be read, or is too large for a photo; the reason alone.
    """
    with open_file(path) as file:
        return file.read(_num_bytes(file))


def hash_file(path: Path, num_first: int) -> tuple[bytes, bytes]:
    """The hash of a photo file's content, as of `hash_content`, and its first bytes.

    Raises:
        DataError: the file cannot be read, or is too large for a photo; the reason alone.
    """
    with open_file(path) as file:
        left = _num_bytes(file)
        first = file.read(min(num_first, left))
        digest, chunk = _new_hash(), first
        while chunk:
            digest.update(chunk)
            left -= len(chunk)
            chunk = file.read(min(_CHUNK_BYTES, left))
    return digest.digest(), first


def _num_bytes(file: BufferedReader) -> int:
    """How many bytes of a file are read: those that it has, and no more while it grows."""
    size = os.fstat(file.fileno()).st_size
    if size > MAX_BYTES:
        raise TooLargeError(
            f"{size // 1_000_000:,} MB are more than the {MAX_BYTES // 1_000_000} that are read"
        )
    return size


def _new_hash() -> "hashlib.blake2b":
    """The hash that names a content, of 16 bytes, with nothing in it yet."""
    return hashlib.blake2b(digest_size=16)


def hash_content(content: bytes) -> bytes:
    """16 bytes that change with any byte of a content, and with nothing else."""
    digest = _new_hash()
    digest.update(content)
    return digest.digest()
