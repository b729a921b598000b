"""Photos that show the same as another: the same file, re-encoded, mirrored, or a part of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catsdogs.checking.appearance import Appearance
from catsdogs.checking.crops import MIN_AGREEMENT, overlap
from catsdogs.checking.near_copies import find_near_copies
from catsdogs.data.images import open_photo
from catsdogs.errors import DataError

_MIN_COSINE = 0.65
"""Of the features of two photos that are laid over each other. Of EfficientNet-Lite0's features, a
mirrored or smaller copy has 0.74 at least; a part of 0.8 of the sides has 0.72 in nineteen of
twenty cases, one of 0.6 in one of three; of the different photos nearest to each other, half have
less than 0.56."""

_MOST_COMPARED = 1000
"""Pairs that are laid over each other, the most alike first: each takes some milliseconds."""

_SIZE = (128, 128)
"""Height and width in pixels that such photos are decoded at."""


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two photos that show the same. Attributes: their positions, the first one first; how."""

    one: int
    other: int
    how: str


def find_look_alikes(
    paths: Sequence[Path],
    contents: Sequence[bytes],
    looks: Sequence[Appearance | None],
    positions: np.ndarray,
    cosines: np.ndarray,
) -> list[LookAlike]:
    """Pairs of photos that show the same; enough of them to tie each group together.

    Args:
        paths: of the photos.
        contents: their content hashes.
        looks: how they look.
        positions, cosines: of the nearest others of each, as `nearest_neighbours` gives them.
    """
    found: dict[tuple[int, int], LookAlike] = {}
    for one, other, how in (*_same_files(contents), *_same_pictures(looks)):
        found.setdefault((one, other), LookAlike(one, other, how))
    for one, other in _alike_in_features(positions, cosines):
        if (one, other) not in found and (how := _compare(paths[one], paths[other])):
            found[one, other] = LookAlike(one, other, how)
    return list(found.values())


def _same_files(contents: Sequence[bytes]) -> Iterator[tuple[int, int, str]]:
    first: dict[bytes, int] = {}
    for position, content in enumerate(contents):
        if (known := first.setdefault(content, position)) != position:
            yield known, position, "the same file"


def _same_pictures(looks: Sequence[Appearance | None]) -> Iterator[tuple[int, int, str]]:
    there = [(position, look) for position, look in enumerate(looks) if look is not None]
    count = len(there)
    signatures = [look.signature for _, look in there] + [look.mirrored for _, look in there]
    for one, other in find_near_copies(signatures):
        first, second = sorted((one % count, other % count))
        if first != second:
            how = "the same picture" if (one < count) == (other < count) else "mirrored"
            yield there[first][0], there[second][0], how


def _alike_in_features(positions: np.ndarray, cosines: np.ndarray) -> list[tuple[int, int]]:
    """Pairs whose features agree, the most alike first."""
    rows, columns = np.nonzero(cosines >= _MIN_COSINE)
    pairs = {
        (min(one, other), max(one, other)): cosine
        for one, other, cosine in zip(
            rows.tolist(),
            positions[rows, columns].tolist(),
            cosines[rows, columns].tolist(),
            strict=True,
        )
    }
    return sorted(pairs, key=lambda pair: (-pairs[pair], pair))[:_MOST_COMPARED]


def _compare(one: Path, other: Path) -> str:
    """How two photos show the same; empty where they do not."""
    try:
        place = overlap(open_photo(one, _SIZE), open_photo(other, _SIZE))
    except DataError:  # gone meanwhile
        return ""
    if place.agreement < MIN_AGREEMENT:
        return ""
    what = "a part of it" if place.scale < 1 else "the same picture"
    return f"{what}, mirrored" if place.is_mirrored else what
