"""What a person decided about suspect photos: read from a CSV, checked whole, then carried out.

The file may be a stranger's, or of last week: it is refused, in one line and before anything
moves, where it names a place outside of the data folder, a class that is none, a photo that has
changed since, or the same photo twice.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from catsdogs.checking.quarantine import Request, first_link
from catsdogs.data.contents import hash_content, read_content
from catsdogs.data.layout import class_name, find_layout, require_folder
from catsdogs.data.walking import visible_folders
from catsdogs.errors import DataError
from catsdogs.files import spelled_here
from catsdogs.text import csv_text, shown_value, some_of
from catsdogs.untrusted.boundary import foreign_bytes
from catsdogs.untrusted.records import read_numbered_rows

COLUMNS = ["path", "decision", "class", "content"]
"""Of decisions.csv, as far as they are needed; others are for people."""

DECISIONS = ("keep", "move", "leave_out", "unsure")
"""What may stand in the second one. An empty cell decides nothing; of them all, `move` and
`leave_out` move a photo."""


@dataclass(frozen=True)
class Decisions:
    """What a file decides.

    Attributes:
        counts: how many photos have each of `DECISIONS`.
        requests: the moves that follow.
    """

    counts: dict[str, int]
    requests: list[Request]


@dataclass(frozen=True)
class _ClassFolder:
    """Where photos of a class lie in a split."""

    path: Path
    name: str

    @property
    def split(self) -> Path:
        """The folder of all class folders of the split."""
        return self.path.parent


def read_decisions(path: Path, root: Path) -> Decisions:
    """Read and check a file of decisions.

    Args:
        path: of the CSV.
        root: the data folder that its paths are in.

    Raises:
        DataError: there is no such file or folder, or anything in the file is not as it should
            be; the line names the row.
    """
    require_folder(root)
    folders = _class_folders(root)
    way_out = (
        f"expected the columns {', '.join(COLUMNS)}, as the page of `catsdogs review` has them"
    )
    with foreign_bytes(path, way_out=way_out, damage="is no file of decisions"):
        rows = read_numbered_rows(path, COLUMNS, errors="surrogateescape")
    counts = dict.fromkeys(DECISIONS, 0)
    requests: list[Request] = []
    seen: dict[Path, int] = {}
    for number, row in rows:
        decision, text = row["decision"].strip().lower(), csv_text(row["path"])
        if not decision:
            continue
        place = f"{path}, row {number}"
        if decision not in DECISIONS:
            raise _refused(
                f"{place}: the decision is {shown_value(decision)}, expected one of "
                f"{', '.join(DECISIONS)}"
            )
        photo = _find(text, root, place)
        if photo in seen:
            raise _refused(f"{place}: {photo} is decided in row {seen[photo]} already")
        seen[photo] = number
        folder = _folder_of(photo, folders, place)
        _check_content(photo, row["content"].strip(), place)
        counts[decision] += 1
        name = csv_text(row["class"])
        if decision == "leave_out":
            requests.append(Request(photo, f"left out of {folder.name}"))
        elif decision == "move":
            target = _moved(photo, folder, name, folders, place)
            requests.append(Request(photo, f"moved from {folder.name} to {name}", target))
    return Decisions(counts, requests)


def _refused(what: str) -> DataError:
    return DataError(f"{what}: nothing is moved")


def _class_folders(root: Path) -> dict[Path, _ClassFolder]:
    """The class folders of all splits, by path."""
    layout = find_layout(root)
    splits = [folder for named in layout.splits.values() for folder in named.values()]
    found = {}
    for split in splits or [layout.root]:
        for folder in visible_folders(split):
            found[folder] = _ClassFolder(folder, class_name(folder))
    return found


def _find(text: str, root: Path, place: str) -> Path:
    """The photo that a path in the file means, which lies in the data folder.

    A path is one in the data folder, as the page writes it, or one as `catsdogs review` lists
    it, with the folder before it.
    """
    given, home = Path(spelled_here(text, root, Path())), Path(os.path.abspath(root))  # noqa: PTH100
    starts = [home] if given.is_absolute() else [Path(), root]
    inside = [given.relative_to(start) for start in starts if given.is_relative_to(start)]
    inside = [path for path in inside if path.parts and ".." not in path.parts]
    if "\0" in text or not inside:
        raise _refused(f"{place}: {shown_value(text)} lies outside of {root}")
    there = sorted({root / path for path in inside if os.path.lexists(root / path)})
    if len(there) > 1:
        raise _refused(f"{place}: {shown_value(text)} may be {there[0]} or {there[1]}")
    if not there:
        raise _refused(f"{place}: there is no photo {root / inside[-1]}, it has moved since")
    if link := first_link(root, there[0]):
        raise _refused(f"{place}: {there[0]} lies behind a link, {link}")
    return there[0]


def _folder_of(photo: Path, folders: dict[Path, _ClassFolder], place: str) -> _ClassFolder:
    for parent in photo.parents:
        if parent in folders:
            return folders[parent]
    raise _refused(f"{place}: {photo} lies in no class folder")


def _check_content(photo: Path, content: str, place: str) -> None:
    try:
        found = hash_content(read_content(photo)).hex()
    except DataError as error:
        raise _refused(f"{place}: {photo} cannot be read ({error})") from None
    if found != content:
        raise _refused(f"{place}: {photo} is another photo than the one that was looked at")


def _moved(
    photo: Path, folder: _ClassFolder, name: str, folders: dict[Path, _ClassFolder], place: str
) -> Path:
    """Where a photo goes that belongs to another class of its split."""
    names = sorted({known.name for known in folders.values()})
    if name not in names:
        raise _refused(
            f"{place}: the class is {shown_value(name)}, expected one of {some_of(names)}"
        )
    if name == folder.name:
        raise _refused(f"{place}: {photo} lies in {name} already")
    homes = [f.path for f in folders.values() if f.name == name and f.split == folder.split]
    home = homes[0] if homes else folder.split / name
    return home / photo.relative_to(folder.path)
