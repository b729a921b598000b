"""Asking about paths of any spelling, and writing files whole or not at all."""

import os
import re
import shutil
import socket
import tempfile
import time
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from catsdogs import systems
from catsdogs.errors import DataError
from catsdogs.text import csv_row

_PART_NAME = re.compile(r"\..+\.(?P<host>[^.]*)\.(?P<pid>\d+)\.part(\.\w+)?")
_ABANDONED_SECONDS = 24 * 60 * 60
"""A part that nobody has written to for so long is nobody's any more."""

PICTURE_MARK = "made by catsdogs"
"""The software that our pictures name in their metadata, so that they are known again."""
PAGE_MARK = b'<meta name="generator" content="catsdogs'
"""In the head of our pages."""

_unfinished: set[Path] = set()

_FORMATS = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".svg", ".pdf"}
    | {".html", ".csv", ".xlsx", ".json", ".toml", ".h5", ".keras", ".onnx", ".tflite", ".zip"}
)
"""Endings by which programs know what a file holds."""

_MARKED_BYTES = 2**16
"""At a file's start or end, where its metadata are."""


def exists(path: Path) -> bool:
    """Whether there is something, whatever the path looks like.

    This and the two below are the way to ask about a path that a user, a file or a link gave:
    `Path.exists` and its like raise where a path is too long, holds a NUL, goes round in
    circles, or leads through a folder that may not be entered. Of such, the answer is no.
    """
    return os.path.exists(path)  # noqa: PTH110 - see above


def is_file(path: Path) -> bool:
    """Whether there is an ordinary file, by links or not; see `exists`."""
    return os.path.isfile(path)  # noqa: PTH113 - see above


def is_dir(path: Path) -> bool:
    """Whether there is a folder, by links or not; see `exists`."""
    return os.path.isdir(path)  # noqa: PTH112 - see above


def real_path(path: Path) -> Path:
    """An absolute path without links, as far as they can be followed; see `exists`."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):
        return path


def expanded(text: str) -> str:
    """A path as a shell would take it: `~` and `$NAME` are what they stand for.

    All paths of the configuration and of the command line come through here. A path that
    exists as it is spelled is that path, also with a `$` in it.
    """
    path = os.path.expanduser(text)  # noqa: PTH111 - keeps a closing slash, and raises nothing
    return path if os.path.lexists(path) else os.path.expandvars(path)


def spelled_here(text: str, *folders: Path) -> str:
    r"""A path of a table as it is spelled on this system, if there is something in the folders.

    Windows separates by `\`. Macs may have taken accents apart, or spreadsheets put them together.
    """
    slashed = text.replace("\\", "/")
    forms = (unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))
    for spelling in (text, slashed, *forms):
        if any(os.path.lexists(folder / spelling) for folder in folders):
            return spelling
    return text


def relative_path(path: Path, folder: Path) -> Path:
    """The way from a folder to a path; the whole path where there is none, from drive to drive."""
    try:
        return Path(os.path.relpath(path, folder))
    except ValueError:
        return Path(os.path.abspath(path))  # noqa: PTH100 - links stay


def identity(path: Path) -> tuple[int, int] | Path:
    """What tells a file or folder from all others, by links and whatever name it is called.

    File systems that do not tell upper case from lower case know it by many names. Of what is not
    there, it is the real path.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        return real_path(path)
    return (status.st_dev, status.st_ino) if status.st_ino else real_path(path)


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file or folder; see `identity`."""
    return identity(one) == identity(other)


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a path leads into a folder, or is that folder; see `identity`."""
    inner, outer = real_path(path), identity(folder)
    return any(identity(parent) == outer for parent in (inner, *inner.parents))


def free_path(wanted: Path, taken: Collection[Path] = ()) -> Path:
    """A path at which there is nothing, and which is not taken: with a number, if need be."""
    path, number = wanted, 2
    while path in taken or os.path.lexists(path):
        path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        number += 1
    return path


def scratch_file() -> IO[bytes]:
    """A file without a name that goes when it is closed: in memory where no folder takes it."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return systems.memory_file() or Path(os.devnull).open("r+b")


@contextmanager
def in_the_making(path: Path) -> Iterator[None]:
    """Let a file or folder go, half made as it is, where a signal ends the process meanwhile."""
    _unfinished.add(path)
    try:
        yield
    finally:
        _unfinished.discard(path)


def remove_unfinished() -> None:
    """Delete what is in the making, as a process does that ends at once."""
    for path in tuple(_unfinished):
        with suppress(OSError):
            shutil.rmtree(path) if is_dir(path) else path.unlink()


@contextmanager
def replacing(path: Path, key: str = "output") -> Iterator[Path]:
    """Give a path beside `path` to write to, and rename it into place at the end.

    It has the suffix of `path`. Where anything goes wrong, the old file stays as it was and
    nothing is left behind. The new file is on the disk before it takes the old one's name, so
    that a power cut leaves one of the two.

    Args:
        path: what is written.
        key: what the user chooses another place by; see `CatsdogsError`.

    Raises:
        DataError: the folder cannot be made or written, or the disk is full.
    """
    part = _part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with in_the_making(part):
            yield part
        systems.flush_to_disk(part)
        systems.replace(part, path)
    except OSError as error:
        raise not_writable(path, error, key) from None
    finally:
        with suppress(OSError):  # the error before this one is the one to tell
            part.unlink()


def write_csv(
    path: Path, key: str, rows: Iterable[Sequence[str]], errors: str = "surrogateescape"
) -> None:
    """Write a CSV file, whole or not at all.

    Args:
        path: of the file.
        key: what the user chooses another place by; see `CatsdogsError`.
        rows: the names of the columns first.
        errors: what becomes of file names that are no text; as for `str.encode`.

    Raises:
        DataError: it cannot be written.
    """
    with (
        replacing(path, key) as part,
        part.open("w", encoding="utf-8", errors=errors, newline="") as file,
    ):
        file.writelines(f"{csv_row(cells)}\r\n" for cells in rows)


def check_writable(path: Path, key: str = "output", ending: str = "", mark: bytes = b"") -> None:
    """Find out before long work whether its result can be written.

    What killed processes left half written in its folder goes.

    Args:
        path: what will be written.
        key: what the user chooses another place by; see `CatsdogsError`.
        ending, mark: of files like it; see `refuse_other`.

    Raises:
        DataError: the folder cannot be made or written, or something else stands in the way.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_other(path, key, ending, mark)
        part = _part_of(path)
        part.touch()
        part.unlink()
    except OSError as error:
        raise not_writable(path, error, key) from None
    remove_abandoned_parts(path.parent)


def refuse_other(path: Path, key: str = "output", ending: str = "", mark: bytes = b"") -> None:
    """Refuse to replace what is at a path, if anything, and is not like what will be written there.

    Args:
        path: what will be written.
        key: what the user chooses another place by; see `CatsdogsError`.
        ending: of files like it. What is there already and has another ending is something
            else, a photo or a model perhaps, whose name was given by mistake. Nor may a new
            file be named as one of another format, as which no program could open it. Empty: any.
        mark: what such files of ours hold; see `holds_mark`. What is there already without it is
            a photo or a page of the user's. Empty: none.

    Raises:
        DataError: it is something else, or is named so.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "is a folder")
        if not os.path.lexists(path):
            if ending and path.suffix.lower() in _FORMATS - {ending}:
                raise OSError(None, f"{ending} is written, and its name says {path.suffix}")
            return
        if ending and path.suffix.lower() != ending:
            raise FileExistsError(None, f"it is there already, and no {ending}")
        if mark and not holds_mark(path, mark):
            raise FileExistsError(None, "it is there already, and not of this command")
    except OSError as error:
        raise not_writable(path, error, key) from None


def holds_mark(path: Path, mark: bytes) -> bool:
    """Whether a file is ours by some bytes close to its start or its end; an empty one is anyone's.

    Raises:
        OSError: it cannot be read.
    """
    if not is_file(path):
        return False
    with path.open("rb") as file:
        start = file.read(_MARKED_BYTES)
        file.seek(-min(_MARKED_BYTES, os.fstat(file.fileno()).st_size), os.SEEK_END)
        return not start or mark in start or mark in file.read(_MARKED_BYTES)


def remove_abandoned_parts(folder: Path) -> None:
    """Delete what killed processes left half written in a folder.

    That is what a dead process of this machine wrote, and what any wrote a day ago.
    """
    with suppress(OSError):
        for path in folder.glob(".*.part*"):
            found = _PART_NAME.fullmatch(path.name)
            if found is None:
                continue
            died = found["host"] == _host_name() and not systems.is_alive(int(found["pid"]))
            if died or time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                path.unlink()


def not_writable(path: Path, error: OSError, key: str) -> DataError:
    """The error for a path that cannot be written, with the key that gives another."""
    reason = (error.strerror or str(error)).lower()
    return DataError(f"{path} cannot be written ({reason}): choose another place", key)


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.stem}.{_host_name()}.{os.getpid()}.part{path.suffix}")


def _host_name() -> str:
    """This machine's name, or its container's: process ids mean something within it alone."""
    return re.sub(r"\W", "-", socket.gethostname(), flags=re.ASCII)[:64]
