"""Which photos of a class are held back for validation: their contents decide.

The order of the content hashes is as good as drawn, and it depends on nothing else: not on
names, places, other classes or a seed. Copies are one content and fall on the same side.

In a small class the share is exact. In a large one a photo's own hash decides, so that adding
photos moves none of the others. In between, the number held back may lie the farther from the
exact one the more photos there are: that is how one rule passes into the other without a jump.
"""

from collections.abc import Iterable

_EXACT_UP_TO = 50
"""Contents of a class up to which exactly the share is held back."""

_PHOTOS_PER_DEVIATION = 20
"""Beyond, for each so many contents more, one may be held back too many or too few. With 800
photos and a share of a fifth that is 37 of 160, three times what chance alone makes."""


def held_back(contents: Iterable[bytes], fraction: float) -> set[bytes]:
    """Choose the contents of one class that are held back.

    Adding a photo moves at most one other photo where a class has up to 50, at most two where
    it has some hundreds, and none where it has a thousand (by chance once in many thousands).

    Args:
        contents: hashes of 16 bytes; copies count once.
        fraction: of the class, between 0 and 1.

    Returns:
        One at least and not all of them, where there are two or more; none of a single one.
    """
    ranked = sorted(set(contents))
    if len(ranked) < 2:
        return set()
    limit = int(fraction * 2**64)
    by_hash = sum(int.from_bytes(content[:8], "big") < limit for content in ranked)
    exact = int(fraction * len(ranked) + 0.5)
    deviation = max(0, (len(ranked) - _EXACT_UP_TO) // _PHOTOS_PER_DEVIATION)
    count = min(max(by_hash, exact - deviation), exact + deviation)
    return set(ranked[: min(max(count, 1), len(ranked) - 1)])
