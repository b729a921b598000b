"""What is written down about a quarantine: its manifest, and the mark in the data folder.

A manifest may be a stranger's: each of its lines leads from a place in the data folder that it
names to one in that folder or in the quarantine, or it is refused.
"""

import csv
import io
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from catsdogs.data.walking import QUARANTINE_MARK
from catsdogs.errors import DataError
from catsdogs.files import exists, real_path, write_csv
from catsdogs.systems import leads_down
from catsdogs.text import csv_text
from catsdogs.untrusted.boundary import foreign_bytes, read_bytes

MANIFEST_NAME = "manifest.csv"
_COLUMNS = ["from", "to", "reason", "data"]
_MAX_MANIFEST_BYTES = 200_000_000
_MAX_MARK_BYTES = 1_000_000


@dataclass(frozen=True)
class QuarantineRow:
    """A line of the manifest.

    Attributes:
        home: the data folder.
        inside: the path in it that the file came from.
        target: the path that it went to, in the folder of the quarantine.
        reason: why.
        within: `target` is in the data folder instead.
    """

    home: str
    inside: str
    target: str
    reason: str
    within: bool = False

    def place(self, root: Path, folder: Path) -> Path:
        """Where the file is, with the data folder and that of the quarantine as they are named."""
        return (root if self.within else folder) / self.target


def write_manifest(folder: Path, rows: Sequence[QuarantineRow]) -> None:
    """Write the manifest of a quarantine, whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    write_csv(folder / MANIFEST_NAME, "quarantine", [_COLUMNS, *map(_cells, rows)])


def _cells(row: QuarantineRow) -> tuple[str, ...]:
    source = os.path.join(row.home, row.inside)  # noqa: PTH118
    target = os.path.join(row.home, row.target) if row.within else row.target  # noqa: PTH118
    return source, target, row.reason, row.home


def read_manifest(folder: Path) -> list[QuarantineRow]:
    """The lines of a quarantine's manifest.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = folder / MANIFEST_NAME
    if not exists(path):
        raise DataError(
            f"{path} does not exist: give a folder that photos were moved to", key="restore"
        )
    with foreign_bytes(path, way_out=f"expected the columns {', '.join(_COLUMNS)}"):
        text = read_bytes(path, _MAX_MANIFEST_BYTES).decode("utf-8", "surrogateescape")
        rows = csv.DictReader(io.StringIO(text, newline=""))
        if missing := [name for name in _COLUMNS if name not in (rows.fieldnames or ())]:
            raise ValueError(f"it has no {missing[0]}")
        return [_row(*(csv_text(row[name]) for name in _COLUMNS)) for row in rows]


def _row(source: str, target: str, reason: str, home: str) -> QuarantineRow:
    """A line of the manifest, if it leads from a place in the data folder to one in either."""
    start = os.path.join(home, "")  # noqa: PTH118
    if not os.path.isabs(home) or "\0" in home:  # noqa: PTH117
        raise ValueError(f"{home} is no whole path on this system")
    if not source.startswith(start):
        raise ValueError(f"{source} does not lie in {home}")
    inside, within = source.removeprefix(start), target.startswith(start)
    target = target.removeprefix(start)
    for path in (inside, target):
        if not leads_down(path):
            raise ValueError(f"{path} is no path of a file in a folder")
    names = {Path(path).name for path in ((inside, target) if within else (inside,))}
    if target == MANIFEST_NAME or QUARANTINE_MARK in names:
        raise ValueError(f"{target} is no photo")
    return QuarantineRow(home, inside, target, reason, within)


def mark(root: Path, folder: Path) -> None:
    """Let a data folder know of a quarantine of it, where it can be written."""
    _write_marks(root, sorted({*_marks(root), str(real_path(folder))}))


def unmark(root: Path, folder: Path) -> None:
    """Let a data folder forget a quarantine."""
    if marks := _marks(root):
        _write_marks(root, [mark for mark in marks if mark != str(real_path(folder))])


def is_marked(root: Path, folder: Path) -> bool:
    """Whether a data folder knows of a quarantine."""
    return str(real_path(folder)) in _marks(root)


def _marks(root: Path) -> list[str]:
    """Paths of the quarantines that a data folder knows of."""
    with foreign_bytes(root / QUARANTINE_MARK), suppress(OSError):
        return os.fsdecode(read_bytes(root / QUARANTINE_MARK, _MAX_MARK_BYTES)).split("\0")[:-1]
    return []


def _write_marks(root: Path, marks: Sequence[str]) -> None:
    path = root / QUARANTINE_MARK
    with suppress(OSError):  # without it the user has to name the folder
        if not marks:
            path.unlink(missing_ok=True)
        elif not path.is_symlink():
            path.write_bytes(b"".join(os.fsencode(mark) + b"\0" for mark in marks))
