"""How large the photos of a data set are, next to what a network takes."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from catsdogs.data.contents import read_content
from catsdogs.data.images import read_header
from catsdogs.errors import DataError

NUM_LOOKED_AT = 200
"""Photos, evenly spaced, whose headers are read: they are enough to tell."""

_STEP = 32
"""Pixels between two sizes that are named; what a network halves five times."""


def note_on_small_photos(paths: Sequence[Path], image_size: tuple[int, int]) -> str:
    """Say so where every photo would be enlarged, which takes time and adds nothing.

    Args:
        paths: of all photos.
        image_size: height and width in pixels that they are brought to.

    Returns:
        A line with the size that would do; empty where a photo is as large, or none is readable.
    """
    wanted, largest = min(image_size), 0
    for path in paths[:: max(1, len(paths) // NUM_LOOKED_AT)]:
        with suppress(DataError):  # whoever decodes it says why
            header = read_header(read_content(path))
            largest = max(largest, min(header.width, header.height))
            if largest >= wanted:
                return ""
    enough = max(_STEP, -(-largest // _STEP) * _STEP)
    if not largest or enough >= wanted:
        return ""
    saved = 1 - enough**2 / (image_size[0] * image_size[1])
    return (
        f"no photo has more than {largest} pixels on its shorter side: with model.image_size = "
        f"[{enough}, {enough}] the network would have {saved:.0%} less to compute"
    )
