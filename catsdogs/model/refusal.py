"""The answer "neither": when a model gives it, what it is called, and whether a model can."""

import math
from collections.abc import Sequence
from pathlib import Path

from catsdogs.errors import ConfigError
from catsdogs.model.known_photos import KnownPhotos

NEITHER = "neither"
"""The answer for a photo that is refused."""

MOST_SHARE = 0.5
"""Of ordinary photos; whoever refuses more has no classifier."""


def is_refused(strangeness: float, share: float) -> bool:
    """Whether a photo is among the share that is refused; 0 refuses none."""
    # both are quotients of small numbers, and one in fifty of 49 shall be one
    return bool(share) and 1 - strangeness <= share + 1e-9


def name_of_neither(class_names: Sequence[str]) -> str:
    """`neither`, or `neither!` where a class is called that."""
    name = NEITHER
    while name in class_names:
        name += "!"
    return name


def check_share(path: Path, known: KnownPhotos | None, share: float) -> None:
    """Make sure that a model can refuse a share of photos.

    Args:
        path: of its file, for the message.
        known: what it knows.
        share: not 0.

    Raises:
        ConfigError: it cannot.
    """
    if not isinstance(share, int | float) or not 0 < share <= MOST_SHARE:  # nan as well
        raise ConfigError(
            f"unknown should be a share of photos, 0 to {MOST_SHARE:g}, got {share!r}",
            key="unknown",
        )
    if known is None:
        raise ConfigError(
            f"{path} cannot tell photos of other things from those of its classes: train it "
            "again, or ask for a share of 0",
            key="unknown",
        )
    if share < known.least_share:
        raise ConfigError(
            f"{path} has {len(known.held_out):,} held-out photos to judge by, too few to refuse "
            f"a share of {share:g}: train it with more photos, train it with train.folds = 5 and "
            "head.kind = logistic, which judges by all photos, or ask for "
            f"{rounded_up(known.least_share):g} or more",
            key="unknown",
        )


def rounded_up(share: float) -> float:
    """A share above 0, to two digits."""
    step = 10 ** (math.floor(math.log10(share)) - 1)
    return round(math.ceil(share / step - 1e-9) * step, 12)
