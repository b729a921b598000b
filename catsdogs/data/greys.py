"""Grey photos of more than eight bits, brought to eight.

The range of the values is, in this order:

1. what the file declares: fewer bits than its container has (BitsPerSample, sBIT), or a lowest
   and highest value (MinSampleValue, MaxSampleValue and the like), where the values keep to it;
2. the smallest usual range that holds them (8, 10, 12, 14, 16, 24 or 32 bits; 0 to 1 for floats),
   where they fill at least half of it, or are all the same: such a photo looks as it would with
   eight bits;
3. else what the values themselves span, from the 0.1th to the 99.9th percentile, as programs for
   microscopes and X-rays show them. Integers that span less than 128 are stretched over 128, so
   that noise stays noise.
"""

import math

import numpy as np

from catsdogs.data import tiff_tags
from catsdogs.data.metadata import png_chunks

Range = tuple[float, float]

_USUAL_BITS = (8, 10, 12, 14, 16, 24, 32)
_USUAL_TOPS = (1.0, *(2.0**bits - 1 for bits in _USUAL_BITS))
_MIN_SPAN = 128
_MOST_SAMPLES = 1_000_000
"""Values that are looked at, evenly spread: percentiles of more do not differ."""


def declared_range(content: bytes, format_name: str) -> Range | None:
    """What a file says of the range of its greys; None where it says no more than their type."""
    if format_name == "PNG":
        for name, start, end in png_chunks(content):
            if name == b"sBIT" and end - start == 13 and 0 < content[start + 8] < 16:
                return 0.0, 2.0 ** content[start + 8] - 1
            if name == b"IDAT":
                break
    if format_name == "TIFF" and (tags := tiff_tags.read_directory(content)) is not None:
        bits = tags.number(tiff_tags.BITS, 0)
        if bits not in (8, 16, 32, 64) and 0 < bits < 32:
            return 0.0, 2.0**bits - 1
        for lowest, highest in (
            (tiff_tags.LOWEST, tiff_tags.HIGHEST),
            (tiff_tags.LOWEST_ANY, tiff_tags.HIGHEST_ANY),
        ):
            high = next(iter(tags.values(highest)), math.nan)
            low = next(iter(tags.values(lowest)), 0)
            if math.isfinite(high) and high > low and high != 2.0**bits - 1:
                return float(low), float(high)
    return None


def is_inverted(content: bytes, format_name: str) -> bool:
    """Whether the lowest value is white, as in many X-rays."""
    tags = tiff_tags.read_directory(content) if format_name == "TIFF" else None
    return tags is not None and tags.values(tiff_tags.PHOTOMETRIC) == (0,)


def is_unsigned(content: bytes, format_name: str) -> bool:
    """Whether whole numbers of 32 bits have no sign; Pillow does not tell."""
    tags = tiff_tags.read_directory(content) if format_name == "TIFF" else None
    return tags is not None and tags.is_unsigned()


def find_range(values: np.ndarray, declared: Range | None) -> Range:
    """The values that become black and white.

    Args:
        values: `(height, width)`, whole numbers or floats, any of them infinite or NaN.
        declared: as `declared_range` says.
    """
    flat = values.reshape(-1)
    with np.errstate(invalid="ignore", over="ignore"):  # what is no number is left out below
        flat = flat[:: max(1, flat.size // _MOST_SAMPLES)].astype(np.float64)
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return 0.0, 1.0
    lowest, highest = float(flat.min()), float(flat.max())
    if declared and declared[0] <= lowest and highest <= declared[1]:
        return declared
    low, high = (float(x) for x in np.percentile(flat, (0.1, 99.9)))
    is_whole = bool((flat == np.floor(flat)).all())
    if lowest >= 0:
        tops = _USUAL_TOPS[1:] if is_whole and highest > 1 else _USUAL_TOPS
        top = next((top for top in tops if highest <= top), math.inf)
        if 2 * (high - low) >= top or (lowest == highest and top < math.inf):
            return 0.0, top
    if low == high:  # all but a few are the same
        low, high = lowest, highest
    if is_whole and np.issubdtype(values.dtype, np.integer):
        high = max(high, low + _MIN_SPAN)
    return (low, high) if high > low else (low, low + 1)


def to_eight_bits(values: np.ndarray, limits: Range) -> np.ndarray:
    """Scale grey values; what is no number becomes black.

    Returns:
        uint8 of the same shape, 0 to 255.
    """
    low, high = limits
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values.astype(np.float64) - low) * (255 / (high - low))
    return np.nan_to_num(np.clip(np.rint(scaled), 0, 255)).astype(np.uint8)
