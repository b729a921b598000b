"""How a photo looks as a thumbnail: too dark, too bright, blurred, nearly one colour."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from catsdogs.checking.near_copies import PictureSignature, signature_of
from catsdogs.data.images import open_photo
from catsdogs.errors import DataError

_SIDE = 256
"""Long side in pixels of what is looked at: what a network sees, and a person in a list."""

_CHUNK = 256
"""Photos handed to the threads at once, so that their results do not pile up."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """How a photo looks.

    Attributes:
        bright, dark: the level of grey, 0 to 255, that nine of ten pixels stay below, or above.
        contrast: standard deviation of the most varied of its colours, in levels.
        sharpness: how much more neighbouring pixels differ than in the picture blurred, 0 to 1.
        signature, mirrored: what it shows, and what it shows with left and right changed.
    """

    bright: float
    dark: float
    contrast: float
    sharpness: float
    signature: PictureSignature
    mirrored: PictureSignature


def appearance_of(image: Image.Image) -> Appearance:
    """Measure an RGB picture of any size."""
    small = image.copy()
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    colours = np.asarray(small, np.float32)  # (rows, columns, 3)
    grey = np.asarray(small.convert("L"), np.float32)
    dark, bright = np.percentile(grey, (10, 90))
    return Appearance(
        float(bright),
        float(dark),
        float(colours.reshape(-1, 3).std(axis=0).max()),
        _sharpness(grey),
        signature_of(image),
        signature_of(ImageOps.mirror(image)),
    )


def _sharpness(grey: np.ndarray) -> float:
    """How much of the differences between neighbours a blur takes away.

    Crete, Dolmiere, Ladret and Nicolas, "The blur effect: perception and estimation with a new
    no-reference perceptual blur metric", 2007: a sharp picture loses most of them, a blurred one
    next to nothing.

    Args:
        grey: float `(rows, columns)`.
    """
    lost = []
    for axis in (0, 1):
        if grey.shape[axis] < 9:
            continue
        blurred = _mean_of_nine(grey, axis)
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(blurred, axis=axis))
        total = before.sum()
        if total:
            lost.append(float(np.maximum(before - after, 0).sum() / total))
    return max(lost, default=1.0)


def _mean_of_nine(grey: np.ndarray, axis: int) -> np.ndarray:
    """A running mean over nine pixels along an axis, the shape as before."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = (5, 4)
    sums = np.pad(grey, pad, mode="edge").cumsum(axis=axis, dtype=np.float64)
    sums = np.moveaxis(sums, axis, 0)
    return np.moveaxis((sums[9:] - sums[:-9]) / 9, 0, axis)


def look_at_photos(
    paths: Sequence[Path], num_threads: int, on_looked: Callable[[int], None]
) -> Iterator[Appearance | None]:
    """Measure photos in threads, in order; None for what cannot be read.

    Args:
        paths: the files.
        num_threads: how many are decoded at once.
        on_looked: called with the number of photos done since the last call.
    """

    def look(path: Path) -> Appearance | None:
        try:
            return appearance_of(open_photo(path, (_SIDE, _SIDE)))
        except DataError:
            return None

    with ThreadPoolExecutor(num_threads, thread_name_prefix="look") as pool:
        for start in range(0, len(paths), _CHUNK):
            for appearance in pool.map(look, paths[start : start + _CHUNK]):
                on_looked(1)
                yield appearance
