"""Figures about predictions, each with how sure it is."""

import math
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, computed_field

from catsdogs.text import counted

Z95 = 1.959963984540054
"""The normal distribution's two-sided 95% point."""


def wilson_interval(num_correct: int, num_photos: int) -> tuple[float, float]:
    """The 95% interval of a share.

    Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    Unlike the textbook interval it stays within 0 and 1 and is right for small numbers.

    Args:
        num_correct: 0 to `num_photos`.
        num_photos: 1 or more.

    Returns:
        Lower and upper bound, 0 to 1.
    """
    share = num_correct / num_photos
    z2 = Z95**2
    centre = share + z2 / (2 * num_photos)
    spread = Z95 * math.sqrt(share * (1 - share) / num_photos + z2 / (4 * num_photos**2))
    scale = 1 + z2 / num_photos
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


class Score(BaseModel):
    """How good a classifier is on some photos; in a model file and in JSON, with its interval.

    Attributes:
        loss: mean log loss, in nats.
        accuracy: share of photos whose most probable class is theirs, 0 to 1.
        num_photos: how many photos stand behind it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    loss: float
    accuracy: float = Field(ge=0, le=1)
    num_photos: int = Field(ge=1)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def interval_low(self) -> float:
        """Lower bound of the interval."""
        return self.interval[0]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def interval_high(self) -> float:
        """Upper bound of the interval."""
        return self.interval[1]

    @property
    def interval(self) -> tuple[float, float]:
        """95% Wilson interval of the accuracy."""
        return wilson_interval(round(self.accuracy * self.num_photos), self.num_photos)

    @property
    def sure_accuracy(self) -> str:
        """The accuracy, its interval and the photos behind it, in words."""
        low, high = self.interval
        return (
            f"accuracy {self.accuracy:.4f} (95% interval {low:.4f} to {high:.4f}, "
            f"{counted(self.num_photos, 'photo')})"
        )

    def __str__(self) -> str:
        return f"{self.sure_accuracy}, loss {self.loss:.4f}"


def no_better_than_one_answer(accuracy: float, class_counts: Mapping[str, int]) -> str:
    """Say so where an accuracy is no better than always naming the most frequent class.

    Args:
        accuracy: 0 to 1.
        class_counts: class names to numbers of the photos that it was measured on.

    Returns:
        A sentence; empty where the accuracy is better.
    """
    name, most = max(class_counts.items(), key=lambda item: item[1])
    num_photos = sum(class_counts.values())
    if round(accuracy * num_photos) > most:
        return ""
    return (
        f"accuracy {accuracy:.4f} is no better than always answering {name}, "
        f"the class of {most:,} of {num_photos:,} photos"
    )
