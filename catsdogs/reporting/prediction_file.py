"""A file of predictions that an interrupted run left, and how to go on with it."""

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO

from catsdogs.errors import ConfigError
from catsdogs.files import not_writable
from catsdogs.reporting.predictions import CSV_START, STRANGENESS, is_error_mark
from catsdogs.text import csv_text, printable
from catsdogs.untrusted.boundary import foreign_bytes, open_regular

_MOST_RECORD_BYTES = 2**24
"""Length of an answer for one photo; with a thousand classes it has a hundred thousand."""


@dataclass
class EarlierAnswers:
    """What a file of predictions holds already.

    Attributes:
        num_bytes: of its whole records; what follows them is half an answer.
        header: its first record where that names the columns; empty otherwise.
    """

    num_bytes: int = 0
    header: str = ""
    _format_name: str = ""
    _counts: Counter[bytes] = field(default_factory=Counter)

    def take(self, path: str) -> bool:
        """Whether a path has an answer that was not taken yet: a photo may be asked for twice."""
        key = _key(printable(path) if self._format_name == "text" else path)
        if not self._counts[key]:
            return False
        self._counts[key] -= 1
        return True

    def _add(self, path: str, change: int = 1) -> None:
        self._counts[_key(path)] += change


def _key(path: str) -> bytes:
    """Twelve bytes for a path of any length: of a million answers, that makes 100 MB."""
    return hashlib.blake2b(os.fsencode(path), digest_size=12).digest()


def read_answers(path: Path, format_name: str, top: int) -> EarlierAnswers:
    """Find out what a file of predictions holds; nothing where there is no such file.

    Args:
        path: the file.
        format_name: `text`, `jsonl` or `csv`.
        top: lines a photo in `text`; of more than one, the last photo's may be half of them,
            so that it is answered again.

    Raises:
        ConfigError: the file holds something else.
    """
    earlier = EarlierAnswers(_format_name=format_name)
    last = ""
    start_of_last = 0
    try:
        with open_regular(path) as file:
            for number, record in enumerate(_records(file, format_name), start=1):
                with foreign_bytes(
                    f"{path}, record {number},",
                    ConfigError,
                    "choose the format that it was written in, or another file",
                    f"is no answer in the format {format_name}",
                    tells_reason=False,
                    key="output",
                ):
                    name = _path_of(record, format_name, number)
                    if name is None:
                        earlier.header = record.decode().rstrip("\r\n")
                    elif top == 1 or format_name != "text":
                        earlier._add(name)
                    elif name != last:
                        earlier._add(name)
                        last, start_of_last = name, earlier.num_bytes
                earlier.num_bytes += len(record)
    except FileNotFoundError:
        return earlier
    except OSError as error:
        raise not_writable(path, error, "output") from None
    if last:
        earlier._add(last, -1)
        earlier.num_bytes = start_of_last
    return earlier


def _records(file: BinaryIO, format_name: str) -> Iterator[bytes]:
    """Whole records; of a CSV, one may have line breaks between quotes. A rest is left out."""
    record = b""
    num_quotes = 0
    while line := file.readline(_MOST_RECORD_BYTES):
        record += line
        num_quotes += line.count(b'"')
        is_whole = line.endswith(b"\n") and not (format_name == "csv" and num_quotes % 2)
        if is_whole or len(record) > _MOST_RECORD_BYTES:
            yield record
            record, num_quotes = b"", 0


def _path_of(record: bytes, format_name: str, number: int) -> str | None:
    """The path in a record; None for the header of a CSV."""
    text = record.decode("utf-8", "surrogateescape")
    if format_name == "jsonl":
        path = json.loads(text)["path"]
        if not isinstance(path, str):
            raise ValueError("its path is no text")
        return path
    if format_name == "csv":
        row = next(csv.reader([text], strict=True))
        if number == 1 and row[: len(CSV_START)] == CSV_START:
            return None
        float(row[2] or 0)
        return csv_text(row[0])
    path, name, figure, *kind = text.rstrip("\n").split("\t")
    if kind not in ([], [STRANGENESS]):
        raise ValueError("its figure is none that is known")
    if not is_error_mark(name):
        float(figure)
    return path


@contextmanager
def going_on(path: Path, earlier: EarlierAnswers) -> Iterator[Callable[[str], None]]:
    """Open a file of predictions behind its whole records, and give what writes a line.

    A line is on disk once it is written.

    Raises:
        DataError: it cannot be written, also while lines are.
    """
    file = _open_behind(path, earlier)

    def write(line: str) -> None:
        try:
            file.write(f"{line}\n")
        except OSError as error:
            with suppress(OSError):  # it tries once more
                file.close()
            raise not_writable(path, error, "output") from None

    with file:
        yield write


def _open_behind(path: Path, earlier: EarlierAnswers) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", buffering=1, newline="\n", encoding="utf-8", errors="surrogateescape")
        file.truncate(earlier.num_bytes)
    except OSError as error:
        raise not_writable(path, error, "output") from None
    return file
