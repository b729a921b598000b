"""The one way to walk folders: what is a photo by its name, and what is left out, and why.

Links to folders are followed, but no folder is entered twice: each photo is found once, where it
really lies if that is in the folders that are walked, else behind the first link to it.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from catsdogs.errors import DataError
from catsdogs.text import counted

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif"}
    | {".heic", ".heif", ".hif"}
)
"""In lower case; file names are compared in lower case too. Whether HEIC and AVIF can be read
here is another question: a photo that is left out without a word would be missed."""

SUFFIX_LIST = "jpg, png, webp, heic, avif, gif, bmp or tiff"

PHOTO, OTHER, HIDDEN, SYSTEM, LINK, UNREADABLE = (
    "photo",
    "other",
    "hidden",
    "system",
    "link",
    "unreadable",
)
"""What a walk finds: `Found.kind`."""

QUARANTINE_MARK = ".catsdogs-quarantine"
"""A file of ours in a data folder, which no walk mentions."""

_SYSTEM_FOLDERS = frozenset(
    {
        "@eadir",  # thumbnails and indexes of network drives
        "@tmp",
        "@recycle",
        "@recently-snapshot",
        "@sharebin",
        "#recycle",
        "#snapshot",
        "~snapshot",
        "__macosx",  # what archives made on a Mac bring along
        "network trash folder",
        "temporary items",
        "$recycle.bin",
        "recycler",
        "recycled",
        "system volume information",
        "config.msi",
        "lost+found",
        "__pycache__",
    }
)
"""In lower case. Those whose names begin with a dot are hidden anyway."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a walk came upon.

    Attributes:
        path: below the folder as it was given.
        kind: `PHOTO`, or why it is left out.
        is_folder: a folder, which is left out with all that is in it.
        detail: more about it, such as where a link leads; may be empty.
    """

    path: str
    kind: str
    is_folder: bool = False
    detail: str = ""


def is_photo(path: PurePath) -> bool:
    """Tell by its name whether a file is meant as a photo."""
    return path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")


def is_system_folder(name: str) -> bool:
    """Tell by its name whether an operating system or a network drive made a folder."""
    return name.lower() in _SYSTEM_FOLDERS


def scan(folder: str | Path) -> list[Found]:
    """What lies in a folder itself, in the order of the names; visible folders count as `PHOTO`.

    Raises:
        OSError: it cannot be read.
    """
    with os.scandir(folder) as entries:
        found = [_judge(entry) for entry in entries if entry.name != QUARANTINE_MARK]
    return sorted(found, key=lambda found: found.path)


def _judge(entry: os.DirEntry[str]) -> Found:
    is_folder = _is_folder(entry)
    if entry.name.startswith("."):
        return Found(entry.path, HIDDEN, is_folder)
    if is_folder:
        return Found(entry.path, SYSTEM if is_system_folder(entry.name) else PHOTO, True)
    return Found(entry.path, PHOTO if is_photo(PurePath(entry.name)) else OTHER)


class Walker:
    """Walks folders that belong together, such as the class folders of a split.

    Args:
        roots: the folders that will be walked; none of them is entered from another one.
    """

    def __init__(self, roots: Iterable[str | Path]) -> None:
        self._entered: dict[tuple[int, int], str] = {}
        self._roots: dict[str, str] = {}
        self._copies: dict[str, str] = {}
        for root in map(str, roots):
            self._roots.setdefault(os.path.realpath(root), root)
            if known := self._enter(root):
                self._copies[root] = known

    def walk(self, folder: str | Path) -> Iterator[Found]:
        """Everything below a folder, in the order of the paths.

        No more than the names of a folder and of those above it are in memory at a time.
        """
        folder = str(folder)
        if folder in self._copies:
            yield Found(folder, LINK, True, f"the same folder as {self._copies[folder]}")
            return
        if os.path.realpath(folder) not in self._roots:
            self._enter(folder)
        yield from (
            found for found in self._walk(folder) if found.kind != PHOTO or not found.is_folder
        )

    def folders(self, folder: str | Path) -> Iterator[str]:
        """The folders below a folder that a walk enters."""
        for found in self._walk(str(folder)):
            if found.kind == PHOTO and found.is_folder:
                yield found.path

    def _walk(self, folder: str) -> Iterator[Found]:
        stack = [self._look_into(folder)]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
                continue
            yield found
            if found.kind == PHOTO and found.is_folder:
                stack.append(self._look_into(found.path))

    def _look_into(self, folder: str) -> Iterator[Found]:
        """What is in a folder; a folder that shall be walked has the kind `PHOTO`."""
        try:
            entries = scan(folder)
        except OSError as error:
            yield Found(folder, UNREADABLE, True, error.strerror or str(error))
            return
        for found in entries:
            if found.is_folder and found.kind == PHOTO and (obstacle := self._obstacle(found.path)):
                yield Found(found.path, LINK, True, obstacle)
            else:
                yield found

    def _obstacle(self, path: str) -> str:
        """Why a folder is not entered; empty where it may be."""
        if os.path.islink(path):  # noqa: PTH114
            target = os.path.realpath(path)
            if _lies_in(os.path.realpath(os.path.dirname(path)), target):  # noqa: PTH120
                return "a link to a folder above it"
            for real_root, root in self._roots.items():
                if _lies_in(target, real_root) and not _is_left_out(target, real_root):
                    return f"a link into {root}, which is read there"
        known = self._enter(path)
        return f"the same folder as {known}" if known else ""

    def _enter(self, path: str) -> str:
        """Note a folder; where it was noted before, the path that led to it then."""
        try:
            status = os.stat(path)  # noqa: PTH116
        except (OSError, ValueError):  # whoever lists it gets the reason
            return ""
        known = self._entered.setdefault((status.st_dev, status.st_ino), path)
        return "" if known == path else known


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: whoever reads it gets the reason
        return False


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))  # noqa: PTH118


def _is_left_out(path: str, root: str) -> bool:
    """Whether a walk of `root` would not come to `path`."""
    parts = PurePath(os.path.relpath(path, root)).parts if path != root else ()
    return any(part.startswith(".") or is_system_folder(part) for part in parts)


def visible_folders(folder: Path) -> list[Path]:
    """The folders in a folder that are neither hidden nor made by a system, sorted.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return [
            Path(found.path) for found in scan(folder) if found.is_folder and found.kind == PHOTO
        ]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None


class Tally:
    """Counts what a walk left out, by kind, with an example where that helps."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._suffixes: Counter[str] = Counter()
        self._examples: dict[tuple[str, bool], Found] = {}

    def add(self, found: Found) -> None:
        """Count something that is left out."""
        key = (found.kind, found.is_folder)
        self._counts[key] += 1
        self._examples.setdefault(key, found)
        if found.kind == OTHER:
            self._suffixes[PurePath(found.path).suffix.lower() or "without a suffix"] += 1

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __str__(self) -> str:
        """Such as `2 files that are no photos by their names (1 .cr2, 1 .txt), 1 hidden file`."""
        parts = []
        for (kind, is_folder), number in sorted(self._counts.items()):
            example = self._examples[kind, is_folder]
            if kind == OTHER:
                suffixes = [f"{count:,} {suffix}" for suffix, count in self._most_common()]
                verb = "is no photo by its name" if number == 1 else "are no photos by their names"
                parts.append(f"{counted(number, 'file')} that {verb} ({', '.join(suffixes)})")
            elif kind == HIDDEN:
                parts.append(f"{counted(number, 'hidden folder' if is_folder else 'hidden file')}")
            elif kind == SYSTEM:
                what = f"{counted(number, 'folder')} that a system made"
                parts.append(f"{what} ({PurePath(example.path).name})")
            elif kind == LINK:
                what = counted(number, "linked folder")
                parts.append(f"{what} ({example.path}: {example.detail})")
        return ", ".join(parts)

    def _most_common(self) -> list[tuple[str, int]]:
        """The five most frequent suffixes, and the rest as one."""
        ranked = sorted(self._suffixes.items(), key=lambda item: (-item[1], item[0]))
        rest = sum(count for _, count in ranked[5:])
        return ranked[:5] + ([("others", rest)] if rest else [])


def photos_below(walker: Walker, folder: str | Path, tally: Tally) -> Iterator[str]:
    """The photos below a folder, in the order of the paths; counts what is left out.

    Raises:
        DataError: a folder cannot be read.
    """
    for found in walker.walk(folder):
        if found.kind == PHOTO:
            yield found.path
        elif found.kind == UNREADABLE:
            raise DataError(f"{found.path} cannot be read: {found.detail}")
        else:
            tally.add(found)


def list_photos(folder: Path) -> list[Path]:
    """All photos below a folder, sorted by path; hidden files and folders are left out.

    Raises:
        DataError: a folder cannot be read.
    """
    return [Path(path) for path in photos_below(Walker([folder]), folder, Tally())]
