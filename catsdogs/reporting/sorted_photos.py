"""Answered photos as links or copies in a folder per class, with a manifest that undoes it.

The photos themselves are never touched. Each line of the manifest is on disk before what it names
is made, so that a kill at any moment can be undone. A manifest may be a stranger's (see
`sorting_manifest.py`): undoing takes away nothing but what lies in the folder that the user names
and is what the manifest says, a link to that photo or a copy with those bytes.
"""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from catsdogs import systems
from catsdogs.errors import DataError
from catsdogs.files import in_the_making, not_writable
from catsdogs.reporting.sorting_manifest import (
    COPY,
    KEY,
    LINK,
    MANIFEST_NAME,
    SortedRow,
    append_row,
    begin_manifest,
    read_manifest,
    write_manifest,
)
from catsdogs.systems import shell_word
from catsdogs.text import is_unicode
from catsdogs.untrusted.boundary import open_regular

UNREADABLE = "unreadable"
_CHUNK_BYTES = 2**20

_MOST_NAME_BYTES = 150
"""Of a folder, and of a file whose name has to be changed; most file systems take 255."""


class Answered(Protocol):
    """The answer for a photo file."""

    @property
    def path(self) -> Path: ...
    @property
    def class_name(self) -> str: ...
    @property
    def error(self) -> str: ...


class SortedPhotos:
    """Puts photos into a folder per class as their answers come.

    Args:
        folder: where those folders are made.
        class_names: of the model.
        copies: make copies, not links.
        goes_on: there may be photos that were sorted before.

    Attributes:
        num_placed: links and copies that were made.
        unplaced: photos that could be neither linked nor copied, with the reason.
        notes: what was done otherwise than asked, a sentence each.

    Raises:
        DataError: the folder holds something else, or cannot be written.
    """

    def __init__(
        self, folder: Path, class_names: Sequence[str], copies: bool, goes_on: bool = False
    ) -> None:
        self._folder = folder
        self._copies = copies
        self._names: dict[str, str] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._seen: set[str] = set()
        self.num_placed = 0
        self.unplaced: list[tuple[Path, str]] = []
        self.notes: list[str] = []
        self._folder_of(UNREADABLE, False)  # first come, first served
        for name in class_names:
            self._folder_of(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_begun = os.path.lexists(folder / MANIFEST_NAME)
            if is_begun and not goes_on:
                raise DataError(
                    f"{folder} holds photos that were sorted before: "
                    f"`catsdogs predict --restore {shell_word(str(folder))}` undoes that, or "
                    "choose another folder",
                    KEY,
                )
            if not is_begun and any(folder.iterdir()):
                raise DataError(f"{folder} is not empty: choose a new folder", KEY)
        except OSError as error:
            raise not_writable(folder, error, KEY) from None
        if is_begun:
            rows = read_manifest(folder)
            write_manifest(folder, rows)  # without half a line at its end
            self._seen = {row.source for row in rows}
        else:
            begin_manifest(folder)

    def _folder_of(self, class_name: str, is_class: bool = True) -> str:
        """Name of the folder of a class, or of what is none: always one, and always another."""
        key = f"{'class' if is_class else 'other'} {class_name}"
        if key not in self._names:
            taken = {name.casefold() for name in self._names.values()} | {MANIFEST_NAME}
            plain = folder_name(class_name)
            name, number = plain, 2
            while name.casefold() in taken:
                name, number = f"{plain}-{number}", number + 1
            self._names[key] = name
        return self._names[key]

    def place(self, answer: Answered) -> None:
        """Link or copy a photo into the folder of its class; one that is there already is left.

        Raises:
            DataError: the folder cannot be written.
        """
        source = os.path.abspath(answer.path)  # noqa: PTH100 - links stay
        if source in self._seen:
            return
        self._seen.add(source)
        if not os.path.lexists(source):
            self.unplaced.append((answer.path, "it does not exist"))
            return
        name = (
            self._folder_of(UNREADABLE, False)
            if answer.error
            else (self._folder_of(answer.class_name))
        )
        folder = self._folder / name
        try:
            folder.mkdir(exist_ok=True)
            if folder.is_symlink():
                raise DataError(f"{folder} is a link: choose another folder", KEY)
            if not self._copies and not self._link(source, folder):
                self._copies = True
                self.notes.append(f"{self._folder} takes no links: copies are made instead")
            if self._copies and (reason := self._copy(source, folder)):
                self.unplaced.append((answer.path, reason))
                return
        except OSError as error:
            raise not_writable(folder, error, KEY) from None
        self.num_placed += 1

    def _link(self, source: str, folder: Path) -> bool:
        while True:
            target = self._free(folder, Path(source).name)
            self._record(source, target, LINK, "")
            try:
                target.symlink_to(source)
                return True
            except FileExistsError:  # another process was quicker
                continue
            except OSError as error:
                if systems.refuses_links(error):
                    self._numbers.clear()  # the name is still free
                    return False
                raise

    def _copy(self, source: str, folder: Path) -> str:
        """Copy a file; why it cannot be read, or empty."""
        try:
            digest = _digest(Path(source))
        except (OSError, DataError) as error:
            return (getattr(error, "strerror", None) or str(error)).lower()
        while True:
            target = self._free(folder, Path(source).name)
            self._record(source, target, COPY, digest)
            try:
                target.touch(exist_ok=False)  # the name is ours
                break
            except FileExistsError:
                continue
        part = _part_of(target)
        try:
            with (
                in_the_making(part),
                open_regular(Path(source)) as file,
                part.open("wb") as copied,
            ):
                while chunk := file.read(_CHUNK_BYTES):
                    copied.write(chunk)
            systems.replace(part, target)
        except OSError:
            for path in (part, target):
                path.unlink(missing_ok=True)
            raise
        return ""

    def _free(self, folder: Path, name: str) -> Path:
        """A path in a folder at which there is nothing yet."""
        key = (folder.name, unicodedata.normalize("NFC", name).casefold())
        while True:
            number = self._numbers[key] = self._numbers.get(key, 0) + 1
            target = folder / (name if number == 1 else _numbered(name, number))
            if not os.path.lexists(target) and not os.path.lexists(_part_of(target)):
                return target

    def _record(self, source: str, target: Path, kind: str, digest: str) -> None:
        inside = target.relative_to(self._folder).as_posix()
        append_row(self._folder, SortedRow(source, inside, kind, digest))


def folder_name(class_name: str) -> str:
    """A class as a folder can be called on every system, and never one outside or hidden."""
    name = unicodedata.normalize("NFC", class_name)
    name = "".join(c if c.isprintable() and is_unicode(c) else "_" for c in name)
    return systems.portable_name(_cut(name, _MOST_NAME_BYTES).strip(" .")) or "class"


def _cut(name: str, most: int) -> str:
    """The beginning of a name, of so many bytes at most, and no half characters."""
    return os.fsencode(name)[:most].decode("utf-8", "ignore") if len(name) * 4 > most else name


def _numbered(name: str, number: int) -> str:
    path = Path(name)
    stem, suffix = path.stem, path.suffix
    if len(os.fsencode(name)) > _MOST_NAME_BYTES:
        suffix = _cut(suffix, 10)
        stem = _cut(stem, _MOST_NAME_BYTES)
    return f"{stem}-{number}{suffix}"


def _part_of(target: Path) -> Path:
    digest = hashlib.blake2b(os.fsencode(target.name), digest_size=8).hexdigest()
    return target.with_name(f".{digest}.part")


def _digest(path: Path) -> str:
    digest = hashlib.blake2b()
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def undo_sorting(folder: Path) -> tuple[int, list[tuple[Path, str]]]:
    """Take away the links and copies that were made, and the folders that are empty then.

    Args:
        folder: that photos were sorted into.

    Returns:
        How many were taken away, and those that stay, with the reason.

    Raises:
        DataError: there is no manifest in it, or it is damaged; nothing was taken away then.
    """
    rows: dict[str, list[SortedRow]] = {}
    for row in read_manifest(folder):
        rows.setdefault(row.target, []).append(row)
    num_gone, left, kept = 0, [], []
    for target, candidates in rows.items():
        path = folder / target
        try:
            if path.parent.is_symlink():
                raise OSError(None, "it lies behind a link")
            _part_of(path).unlink(missing_ok=True)
            if not os.path.lexists(path):
                continue
            if reason := _why_it_stays(path, candidates):
                raise OSError(None, reason)
            path.unlink()
            num_gone += 1
        except OSError as error:
            left.append((path, (error.strerror or str(error)).lower()))
            kept += candidates
    for name in {target.split("/")[0] for target in rows}:
        with suppress(OSError):  # it is not empty
            (folder / name).rmdir()
    _write_rest(folder, kept)
    return num_gone, left


def _why_it_stays(path: Path, candidates: Sequence[SortedRow]) -> str:
    """Why something is not what was made there; empty where it is."""
    status = path.lstat()
    for row in candidates:
        is_link = row.kind == LINK and stat.S_ISLNK(status.st_mode)
        if is_link and systems.link_target(path) == row.source:
            return ""
        is_copy = row.kind == COPY and stat.S_ISREG(status.st_mode)
        if is_copy and (not status.st_size or _digest(path) == row.digest):  # 0: in the making
            return ""
    return "it is not what was put there"


def _write_rest(folder: Path, rows: Sequence[SortedRow]) -> None:
    if rows:
        write_manifest(folder, rows)
        return
    path = folder / MANIFEST_NAME
    try:
        path.unlink()
    except OSError as error:
        raise not_writable(path, error, "restore") from None
    with suppress(OSError):  # it is not empty
        folder.rmdir()
