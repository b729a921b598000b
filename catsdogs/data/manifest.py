"""A CSV that lists photos with their classes, in the place of class folders.

Columns `path` and `label`, and where they are wanted `split`, `group` and `weight`, in any order;
paths are relative to the CSV. It is the user's own list: paths may be absolute or lead upward,
because photos often lie on another disk, and nothing but reading them as photos comes of it. What
moves photos, a quarantine, moves those below the CSV's folder alone.
"""

import codecs
import csv
import difflib
import io
import math
import os
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from catsdogs.data.layout import TEST, TRAIN, VALIDATION, split_of_word
from catsdogs.errors import DataError
from catsdogs.files import is_dir, relative_path, spelled_here
from catsdogs.text import counted, csv_row, csv_text, is_unicode, printable, shortened
from catsdogs.untrusted.boundary import foreign_bytes, open_regular, read_bytes
from catsdogs.untrusted.records import delimiter_of, refuse_utf_16

SUFFIX = ".csv"

COLUMNS = ("path", "label", "split", "group", "weight")

_MOST_BYTES = 128 * 2**20
_MOST_ROWS = 1_000_000
_MOST_COLUMNS = 1000
_LONGEST_HEADER = 2**16
_MOST_NAMED = 10
"""So many wrong rows are named in one line."""

_LONGEST_NAME = 255
"""Characters of a class or a group; a folder's name has no more bytes."""

_MOST_WEIGHT = 1e6


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A line of a manifest.

    Attributes:
        path: of the photo.
        label: its class; empty where the manifest has none.
        split: `train`, `validation` or `test`; empty: none is said.
        group: what it belongs to; empty: to nothing.
        weight: what it counts for in the loss.
    """

    path: Path
    label: str = ""
    split: str = ""
    group: str = ""
    weight: float = 1.0


@dataclass
class Manifest:
    """What a manifest lists.

    Attributes:
        path: of the CSV.
        rows: in its order; one or more.
        group_column: name of the column that the groups are from, whether it is there or not.
        notes: what of it is not used, a sentence each.
    """

    path: Path
    rows: list[ManifestRow]
    group_column: str = "group"
    notes: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """The folder that its paths are relative to."""
        return self.path.parent


def is_manifest(path: Path) -> bool:
    """Tell by its name whether a path is meant as a manifest, and not as a folder of photos."""
    return path.suffix.lower() == SUFFIX and not is_dir(path)


def lists_photos(path: Path) -> bool:
    """Whether a CSV has a column of paths; False where it cannot be read."""
    with suppress(DataError), foreign_bytes(path), open_regular(path) as file:
        first = re.split(rb"[\r\n]", file.read(_LONGEST_HEADER), maxsplit=1)[0]
        names = re.split(rb"[,;\t]", first.removeprefix(codecs.BOM_UTF8).lower())
        return b"path" in [name.strip(b' "') for name in names]
    return False


def data_root(path: Path) -> Path:
    """The folder that a data folder or a manifest is about."""
    return path.parent if is_manifest(path) else path


def read_manifest(path: Path, needs_labels: bool = True, group_column: str = "") -> Manifest:
    """Read a manifest whole.

    Args:
        path: of the CSV, in UTF-8, separated by commas, semicolons or tabs.
        needs_labels: every row has to name a class, and all columns count; False: the paths alone.
        group_column: of the groups, where there is one of that name; else it is `group`.

    Raises:
        DataError: it cannot be read, lacks a column, or has wrong rows; names the first of them.
    """
    with foreign_bytes(path, damage="is no manifest", way_out="expected a CSV in UTF-8"):
        content = read_bytes(path, _MOST_BYTES)
        refuse_utf_16(path, content)
    reading = _Reading(path, content, needs_labels, group_column)
    return reading.manifest()


class _Reading:
    """One pass over a manifest: rows, and what is wrong with others."""

    def __init__(self, path: Path, content: bytes, needs_labels: bool, group_column: str) -> None:
        self._path = path
        self._needs_labels = needs_labels
        content = content.removeprefix(codecs.BOM_UTF8)
        delimiter = delimiter_of(content[:_LONGEST_HEADER].decode("utf-8", "replace"))
        # names that are not UTF-8 are names all the same, where a system has such
        text = io.TextIOWrapper(io.BytesIO(content), "utf-8", "surrogateescape", newline="")
        self._rows = csv.reader(text, delimiter=delimiter, strict=True)
        self._group_column = group_column.lower()
        self._wrong: list[str] = []
        self._num_wrong = 0
        self._seen: dict[str, int] = {}

    def manifest(self) -> Manifest:
        header = self._header()
        rows = []
        number = 1
        while True:
            number += 1
            try:
                cells = next(self._rows)
            except StopIteration:
                break
            except csv.Error as error:  # what follows cannot be told apart any more
                self._add_wrong(number, f"no CSV ({error})")
                break
            if number > _MOST_ROWS + 1:
                raise DataError(f"{self._path} has more than {_MOST_ROWS:,} rows: give fewer")
            if not any(cells):
                continue
            try:
                rows.append(self._row(header, cells, number))
            except ValueError as error:
                self._add_wrong(number, str(error))
        if self._num_wrong:
            more = self._num_wrong - len(self._wrong)
            named = "; ".join(self._wrong) + (f"; and {more:,} more" if more else "")
            raise DataError(
                f"{self._path} has {counted(self._num_wrong, 'wrong row')}: {named}: "
                "mend or remove them"
            )
        if not rows:
            raise DataError(f"{self._path} lists no photos: expected a row for each")
        self._check_splits(rows)
        unused = [name for name in header if name not in (*COLUMNS, self._group_column) and name]
        notes = []
        if unused and self._needs_labels:
            shown = ", ".join(printable(shortened(name, 40)) for name in unused[:5])
            notes.append(f"{self._path}: columns that are not used: {shown}")
        return Manifest(self._path, rows, self._group_column, notes)

    def _add_wrong(self, number: int, reason: str) -> None:
        self._num_wrong += 1
        if len(self._wrong) < _MOST_NAMED:
            self._wrong.append(f"row {number:,}: {reason}")

    def _header(self) -> list[str]:
        """Names of the columns, in lower case."""
        try:
            cells = next(self._rows, [])
        except csv.Error:
            cells = []
        if len(cells) > _MOST_COLUMNS:
            raise DataError(f"{self._path} has {len(cells):,} columns: expected a few")
        header = [name.strip().lower() for name in cells]
        for name in ("path", "label") if self._needs_labels else ("path",):
            if header.count(name) != 1:
                near = difflib.get_close_matches(name, header, n=1)
                shown = printable(shortened(", ".join(header), 100)) or "none"
                problem = "no column" if name not in header else "several columns"
                hint = f"; is {printable(shortened(near[0], 40))} it?" if near else ""
                raise DataError(
                    f"{self._path} has {problem} {name}, its first row is: {shown}{hint}: expected "
                    "path,label and where they are wanted split,group,weight"
                )
        if self._group_column not in header:
            self._group_column = "group"
        wanted = (*COLUMNS[2:], self._group_column)
        if doubled := next((name for name in wanted if header.count(name) > 1), ""):
            raise DataError(f"{self._path} has several columns {doubled}: keep one of them")
        return header

    def _row(self, header: Sequence[str], cells: Sequence[str], number: int) -> ManifestRow:
        """A row.

        Raises:
            ValueError: what is wrong with it.
        """
        if len(cells) != len(header):
            raise ValueError(f"{counted(len(cells), 'cell')}, expected {len(header)}")
        values = dict(zip(header, map(csv_text, cells), strict=True))
        path = self._photo(values["path"], number)
        if not self._needs_labels:
            return ManifestRow(path)
        label = _name("label", values["label"])
        if not label:
            raise ValueError("no label")
        said = values.get("split", "").strip()
        split = split_of_word(said) if said else ""
        if split is None:
            raise ValueError(f"split is {_shown(said)}, expected {TRAIN}, {VALIDATION} or {TEST}")
        return ManifestRow(
            path,
            label,
            split,
            _name("group", values.get(self._group_column, "")),
            _weight(values.get("weight", "")),
        )

    def _photo(self, text: str, number: int) -> Path:
        if not text:
            raise ValueError("no path")
        if "\0" in text:
            raise ValueError("a NUL in the path")
        path = self._path.parent / spelled_here(text, self._path.parent)
        try:
            os.lstat(path)
        except OSError as error:
            if isinstance(error, FileNotFoundError | NotADirectoryError):
                hint = "" if is_unicode(text) else " (the CSV is not in UTF-8)"
                raise ValueError(f"{_shown(text)} does not exist{hint}") from None
            reason = (error.strerror or str(error)).lower()
            raise ValueError(f"{_shown(text)} cannot be read ({reason})") from None
        if is_dir(path):
            raise ValueError(f"{_shown(text)} is a folder")
        first = self._seen.setdefault(os.path.normpath(path), number)
        if first != number:
            raise ValueError(f"{_shown(text)} again, as in row {first:,}")
        return path

    def _check_splits(self, rows: Sequence[ManifestRow]) -> None:
        said = {row.split for row in rows}
        if "" in said and said & {TRAIN, VALIDATION}:
            count = sum(not row.split for row in rows)
            raise DataError(
                f"{self._path} says no split for {counted(count, 'photo')} and one for others: "
                f"give each {TRAIN}, {VALIDATION} or {TEST}, or leave the column out"
            )


def _name(column: str, text: str) -> str:
    """A class or a group, in the one Unicode form of its letters.

    Raises:
        ValueError: it can be none.
    """
    name = unicodedata.normalize("NFC", text.strip())
    if not is_unicode(name) or "\0" in name:
        raise ValueError(f"{column} {_shown(name)} is not text in UTF-8")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"{column} {_shown(name)} is longer than {_LONGEST_NAME} characters")
    return name


def _weight(text: str) -> float:
    try:
        weight = float(text) if text.strip() else 1.0
    except ValueError:
        weight = math.nan
    if not 0 < weight <= _MOST_WEIGHT:
        raise ValueError(
            f"weight is {_shown(text)}, expected a number above 0 and up to {_MOST_WEIGHT:,.0f}"
        )
    return weight


def _shown(text: str) -> str:
    return printable(shortened(text, 120))


def manifest_lines(rows: Sequence[ManifestRow], base: Path) -> list[str]:
    """The lines of a manifest, without their line breaks; columns that say nothing are left out.

    Args:
        rows: of the photos.
        base: the folder that the manifest will lie in; paths are relative to it where they can be.
    """
    columns = ["path", "label"]
    columns += ["split"] if any(row.split for row in rows) else []
    columns += ["group"] if any(row.group for row in rows) else []
    columns += ["weight"] if any(row.weight != 1 for row in rows) else []
    cells = [[_cell(row, name, base) for name in columns] for row in rows]
    return [csv_row(line) for line in (columns, *cells)]


def _cell(row: ManifestRow, column: str, base: Path) -> str:
    match column:
        case "path":
            return relative_path(row.path, base).as_posix()
        case "weight":
            return repr(row.weight)
        case _:
            return str(getattr(row, column))
