"""What the feature store holds, as lines."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from catsdogs.reporting.table import align
from catsdogs.text import printable
from catsdogs.training.cache_folder import StoredTrunk


class Entry(Protocol):
    """The features of one trunk."""

    @property
    def store(self) -> StoredTrunk: ...
    @property
    def num_features(self) -> int | None: ...


def cache_lines(entries: Iterable[Entry], place: Path) -> Iterator[str]:
    """A line for each trunk with size, features and what they are of; the sum at the end."""
    rows, total = [("size", "features", "of")], 0
    for entry in entries:
        total += entry.store.num_bytes
        size, what = _mebibytes(entry.store.num_bytes), _trunk(entry.store)
        if entry.num_features is None and entry.store.card is not None:
            what = f"damaged: {what}"
        rows.append((f"{size} MiB", f"{entry.num_features or 0:,}", what))
    if len(rows) > 1:
        yield from align(rows, right=(0, 1))
        yield ""
    yield f"{_mebibytes(total)} MiB in {printable(str(place))}"


def cleared_line(num_bytes: int, place: Path) -> str:
    """How much is free again."""
    return f"{_mebibytes(num_bytes)} MiB freed in {printable(str(place))}"


def _trunk(store: StoredTrunk) -> str:
    if (card := store.card) is None:
        return "damaged"
    what = f"{card.backbone} to {card.boundary} {card.pooling}".strip()
    return f"{what}, {card.image_size[0]} x {card.image_size[1]}, {card.precision}"


def _mebibytes(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.1f}"
