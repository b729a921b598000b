"""The photos that `catsdogs next` chose, as text, JSON or CSV."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from catsdogs.text import csv_row, printable

_COLUMNS = ("path", "class", "probability", "unsureness", "copy")


class NextPhoto(Protocol):
    """One of them."""

    @property
    def path(self) -> Path: ...
    @property
    def class_name(self) -> str: ...
    @property
    def probability(self) -> float: ...
    @property
    def unsureness(self) -> float: ...
    @property
    def copy_path(self) -> Path | None: ...


class Chosen(Protocol):
    """The result of the choice."""

    @property
    def photos(self) -> Sequence[NextPhoto]: ...
    @property
    def num_photos(self) -> int: ...
    @property
    def unreadable(self) -> Sequence[tuple[Path, str]]: ...


def next_lines(chosen: Chosen, format_name: str) -> Iterator[str]:
    """The photos, the most unsure first. Args: `format_name` is `text`, `json` or `csv`."""
    match format_name:
        case "json":
            yield json.dumps(_document(chosen), indent=1)
        case "csv":
            yield from _csv_rows(chosen)
        case _:
            for photo in chosen.photos:
                name = printable(photo.class_name)
                yield f"{printable(str(photo.path))}\t{name}\t{photo.probability:.4f}"


def _document(chosen: Chosen) -> dict[str, Any]:
    return {
        "num_photos": chosen.num_photos,
        "photos": [dict(zip(_COLUMNS, _values(photo), strict=True)) for photo in chosen.photos],
        "unreadable": [{"path": str(path), "reason": reason} for path, reason in chosen.unreadable],
    }


def _values(photo: NextPhoto) -> tuple[str | float | None, ...]:
    copy = str(photo.copy_path) if photo.copy_path else None
    return str(photo.path), photo.class_name, photo.probability, photo.unsureness, copy


def _csv_rows(chosen: Chosen) -> Iterator[str]:
    yield ",".join(_COLUMNS)
    for photo in chosen.photos:
        path, name, probability, unsureness, copy = _values(photo)
        unsure = f"{probability:.6f}", f"{unsureness:.6f}"
        yield csv_row([str(path), str(name), *unsure, str(copy or "")])
