"""Whether one picture shows a part of another: cropped, mirrored, of another size or brightness."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

_SIDE = 64
"""Long side in pixels of the larger picture when the two are laid over each other."""

_SCALES = np.geomspace(0.5, 1.0, 13)
"""Long side of the part over that of the whole: a step of 6%, within which pictures still agree."""

_LEAST_PIXELS = 12
"""Of a side of the part: less agrees with anything."""

MIN_AGREEMENT = 0.9
"""Correlation of the part with the place where it lies, over all its pixels. See docs/review.md."""


@dataclass(frozen=True)
class Overlap:
    """How well a picture lies in another.

    Attributes:
        agreement: correlation at the best place, -1 to 1.
        is_mirrored: left and right had to change places.
        scale: of the part to the whole, 1 where nothing is cut off.
    """

    agreement: float
    is_mirrored: bool
    scale: float


def overlap(one: Image.Image, other: Image.Image) -> Overlap:
    """Lay each of two pictures over the other at many sizes and places, mirrored as well.

    Args:
        one, other: RGB, of any size.
    """
    found = [
        _best_place(_grey(part, scale, is_mirrored), _grey(whole, 1.0), is_mirrored, scale)
        for part, whole in ((one, other), (other, one))
        for is_mirrored in (False, True)
        for scale in map(float, _SCALES)
    ]
    return max(found, key=lambda place: place.agreement)


def _grey(image: Image.Image, scale: float, is_mirrored: bool = False) -> np.ndarray:
    """Grey values, float64 `(rows, columns)`, the long side `scale` times 64 pixels."""
    factor = scale * _SIDE / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    grey = np.asarray(image.convert("L").resize(size, Image.Resampling.BOX), float)
    return grey[:, ::-1] if is_mirrored else grey


def _best_place(part: np.ndarray, whole: np.ndarray, is_mirrored: bool, scale: float) -> Overlap:
    from scipy.signal import fftconvolve

    # of pictures of one size, rounding may make either a pixel larger
    rows, columns = np.minimum(part.shape, whole.shape)
    cut = np.array(part.shape) - (rows, columns)
    if min(rows, columns) < _LEAST_PIXELS or cut.max() > 2:
        return Overlap(-1.0, is_mirrored, scale)
    part = part[:rows, :columns]
    part = part - part.mean()
    norm = np.linalg.norm(part)
    products = fftconvolve(whole - whole.mean(), part[::-1, ::-1], "valid")
    sums, squares = _window_sums(whole, rows, columns), _window_sums(whole**2, rows, columns)
    spreads = np.sqrt(np.maximum(squares - sums**2 / (rows * columns), 1e-6))
    # an even part, or one that lies on an even place, agrees with nothing
    flat = np.sqrt(rows * columns) * _LEAST_CONTRAST
    agreement = np.where(spreads < flat, -1.0, products / (spreads * max(norm, flat)))
    return Overlap(float(agreement.max()), is_mirrored, scale)


_LEAST_CONTRAST = 4.0
"""Standard deviation of grey levels below which a picture is even."""


def _window_sums(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Sums over all windows of a size: `(height - rows + 1, width - columns + 1)`."""
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    return (
        sums[rows:, columns:]
        - sums[:-rows, columns:]
        - sums[rows:, :-columns]
        + sums[:-rows, :-columns]
    )
