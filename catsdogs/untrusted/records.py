"""Records that may come from anyone: JSON and CSV, with bounds for all.

All of these are called within `foreign_bytes`: what they raise is of any type.
"""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from catsdogs.untrusted.boundary import read_bytes

MOST_RECORD_BYTES = 16 * 2**20
"""Size of a record; a hundred thousand skipped photos take less."""

MOST_FIGURE = 1e12
"""Losses, seconds and counts beyond it are no measurements, nor what is infinite or NaN."""

_MOST_ROWS = 1_000_000


def read_text(path: Path, errors: str = "strict") -> str:
    """The text of a file, a byte order mark left out. Args: `errors` as for `bytes.decode`."""
    return read_bytes(path, MOST_RECORD_BYTES).decode("utf-8", errors).removeprefix("\ufeff")


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(read_text(path))


def read_rows(path: Path, columns: list[str], errors: str = "strict") -> list[dict[str, str]]:
    """The rows of a CSV file by the names of its columns.

    Args:
        path: of the file; its first row names the columns.
        columns: which of them must be there, for every row.
        errors: as for `bytes.decode`.

    Raises:
        ValueError: a column is missing, a row is too long or too short, or there are too many.
    """
    # `str.splitlines` would break names at characters that end no line in a CSV
    rows = csv.reader(io.StringIO(read_text(path, errors), newline=""), strict=True)
    header = next(rows, [])
    missing = [name for name in columns if header.count(name) != 1]
    if missing:
        raise ValueError(f"expected one column {missing[0]}")
    found: list[dict[str, str]] = []
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} cells, expected {len(header)}")
        if len(found) == _MOST_ROWS:
            raise ValueError(f"more than {_MOST_ROWS:,} rows")
        found.append(dict(zip(header, row, strict=True)))
    return found


def figure(text: str) -> float | None:
    """A figure from a text; None where there is none, or one that measures nothing.

    Raises:
        ValueError: it is something else.
    """
    value = float(text) if text else math.nan
    return value if abs(value) <= MOST_FIGURE else None
