"""Records that may come from anyone: JSON and CSV, with bounds for all.

All of these are called within `foreign_bytes`: what they raise is of any type.
"""

import codecs
import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from catsdogs.errors import DataError
from catsdogs.untrusted.boundary import read_bytes

MOST_RECORD_BYTES = 16 * 2**20
"""Size of a record; a hundred thousand skipped photos take less."""

MOST_FIGURE = 1e12
"""Losses, seconds and counts beyond it are no measurements, nor what is infinite or NaN."""

_MOST_ROWS = 1_000_000


def read_text(path: Path, errors: str = "strict") -> str:
    """The text of a file, a byte order mark left out. Args: `errors` as for `bytes.decode`."""
    return read_bytes(path, MOST_RECORD_BYTES).decode("utf-8", errors).removeprefix("\ufeff")


def delimiter_of(text: str) -> str:
    """What separates the cells of a CSV, by its first row: spreadsheets of many countries write
    semicolons, and some programs tabs."""
    first = text.split("\n", 1)[0].split("\r", 1)[0]
    return max(",;\t", key=first.count)


def refuse_utf_16(path: Path, content: bytes) -> None:
    """Raises DataError where a CSV is in UTF-16, as some spreadsheets save it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path} is written in UTF-16: save it as CSV in UTF-8")


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(read_text(path))


def read_rows(path: Path, columns: list[str], errors: str = "strict") -> list[dict[str, str]]:
    """The rows of a CSV file by the names of its columns; see `read_numbered_rows`."""
    return [row for _, row in read_numbered_rows(path, columns, errors)]


def read_numbered_rows(
    path: Path, columns: list[str], errors: str = "strict"
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file, which has been through a spreadsheet perhaps, with their numbers.

    Args:
        path: of the file; its first row names the columns.
        columns: which of them must be there, for every row.
        errors: as for `bytes.decode`.

    Raises:
        ValueError: a column is missing, a row is too long or too short, or there are too many.
    """
    content = read_bytes(path, MOST_RECORD_BYTES)
    refuse_utf_16(path, content)
    text = content.decode("utf-8", errors).removeprefix("\ufeff")
    # `str.splitlines` would break names at characters that end no line in a CSV
    lines = io.StringIO(text, newline="")
    rows = csv.reader(lines, delimiter=delimiter_of(text), strict=True)
    header = next(rows, [])
    missing = [name for name in columns if header.count(name) != 1]
    if missing:
        raise ValueError(f"expected one column {missing[0]}")
    found: list[tuple[int, dict[str, str]]] = []
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} cells, expected {len(header)}")
        if len(found) == _MOST_ROWS:
            raise ValueError(f"more than {_MOST_ROWS:,} rows")
        found.append((number, dict(zip(header, row, strict=True))))
    return found


def figure(text: str) -> float | None:
    """A figure from a text; None where there is none, or one that measures nothing.

    Raises:
        ValueError: it is something else.
    """
    value = float(text) if text else math.nan
    return value if abs(value) <= MOST_FIGURE else None
