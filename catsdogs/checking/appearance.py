"""How a photo looks as a thumbnail: too dark, too bright, blurred, nearly one colour."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageStat

from catsdogs.checking.near_copies import PictureSignature, signatures_of
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
    grey = small.convert("L")
    below = np.cumsum(grey.histogram()) / (grey.width * grey.height)  # (256,)
    dark, bright = np.searchsorted(below, (0.1, 0.9))
    signature, mirrored = signatures_of(small)
    return Appearance(
        bright=float(bright),
        dark=float(dark),
        contrast=max(ImageStat.Stat(small).stddev),
        sharpness=_sharpness(grey),
        signature=signature,
        mirrored=mirrored,
    )


def _sharpness(grey: Image.Image) -> float:
    """How much of the differences between neighbours a blur takes away.

    Crete, Dolmiere, Ladret and Nicolas, "The blur effect: perception and estimation with a new
    no-reference perceptual blur metric", 2007: a sharp picture loses most of them, a blurred one
    next to nothing.
    """
    pixels = np.asarray(grey, np.int16)
    lost = []
    for axis, radius in ((0, (0, 4)), (1, (4, 0))):  # a mean of nine pixels down, or across
        blurred = np.asarray(grey.filter(ImageFilter.BoxBlur(radius)), np.int16)
        before, after = (np.abs(np.diff(at, axis=axis)) for at in (pixels, blurred))
        if total := int(before.sum(dtype=np.int64)):
            lost.append(int(np.maximum(before - after, 0).sum(dtype=np.int64)) / total)
    return max(lost, default=1.0)


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
