"""What is written down about sorted photos: which link or copy was made of which photo."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catsdogs import systems
from catsdogs.errors import DataError
from catsdogs.files import exists, not_writable, write_csv
from catsdogs.text import csv_row, csv_text
from catsdogs.untrusted.boundary import foreign_bytes, read_bytes

MANIFEST_NAME = "manifest.csv"
KEY = "sort_into"
"""What the user chooses another folder by; see `CatsdogsError`."""

LINK, COPY = "link", "copy"
_COLUMNS = ["from", "to", "kind", "blake2b"]
_MOST_BYTES = 200_000_000


@dataclass(frozen=True)
class SortedRow:
    """A line of the manifest.

    Attributes:
        source: the photo, by its whole path.
        target: where its link or copy is, below the folder.
        kind: `link` or `copy`.
        digest: of a copy, BLAKE2b (hex); empty of a link.
    """

    source: str
    target: str
    kind: str
    digest: str

    @property
    def cells(self) -> tuple[str, ...]:
        """What it is in the manifest, in the order of the columns."""
        return self.source, self.target, self.kind, self.digest


def read_manifest(folder: Path) -> list[SortedRow]:
    """The lines of a manifest; the last one is left out where a kill cut it short.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = folder / MANIFEST_NAME
    if not exists(path):
        raise DataError(
            f"{path} does not exist: give a folder that photos were sorted into", key="restore"
        )
    with foreign_bytes(path, way_out=f"expected the columns {', '.join(_COLUMNS)}"):
        text = read_bytes(path, _MOST_BYTES).decode("utf-8", "surrogateescape")
        header, *lines = csv.reader(io.StringIO(text, newline="")) if text else [[]]
        if header != _COLUMNS:
            raise ValueError("it is of something else" if header else "it is empty")
        if lines and len(lines[-1]) < len(_COLUMNS):  # killed before what it names was made
            del lines[-1]
        return [_row([csv_text(cell) for cell in line]) for line in lines]


def _row(cells: Sequence[str]) -> SortedRow:
    source, target, kind, digest = cells
    if target.count("/") != 1 or "\0" in source or not systems.leads_down(target):
        raise ValueError(f"{target} is no file in a folder")
    if kind not in (LINK, COPY):
        raise ValueError(f"{kind} is neither {LINK} nor {COPY}")
    return SortedRow(source, target, kind, digest)


def write_manifest(folder: Path, rows: Sequence[SortedRow]) -> None:
    """Write a manifest anew, whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    write_csv(folder / MANIFEST_NAME, KEY, [_COLUMNS, *(row.cells for row in rows)])


def begin_manifest(folder: Path) -> None:
    """Write the first line, which names the columns.

    Raises:
        DataError: it cannot be written.
    """
    _append(folder, _COLUMNS)


def append_row(folder: Path, row: SortedRow) -> None:
    """Write one more line, which is on disk then.

    Raises:
        DataError: it cannot be written.
    """
    _append(folder, row.cells)


def _append(folder: Path, cells: Sequence[str]) -> None:
    path = folder / MANIFEST_NAME
    try:
        with path.open("a", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(f"{csv_row(cells)}\r\n")
    except OSError as error:
        raise not_writable(path, error, KEY) from None
