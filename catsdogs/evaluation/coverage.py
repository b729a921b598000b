"""What it costs and gains to leave photos without an answer: accuracy against coverage.

El-Yaniv and Wiener, "On the Foundations of Noise-free Selective Classification", 2010.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catsdogs.evaluation.score import wilson_interval

USUAL_SHARE = 0.02
"""What is looked at where no share is asked for."""


@dataclass(frozen=True)
class Refusal:
    """A classifier that refuses what is too strange.

    Attributes:
        share: of ordinary photos that it may refuse.
        num_photos: how many were asked for.
        num_answered: of them, those that got a class.
        num_correct: of these, those that got theirs.
    """

    share: float
    num_photos: int
    num_answered: int
    num_correct: int

    @property
    def coverage(self) -> float:
        """Share of photos that are answered."""
        return self.num_answered / self.num_photos

    @property
    def accuracy(self) -> float | None:
        """Share of the answered ones that are right; None where there are none."""
        return self.num_correct / self.num_answered if self.num_answered else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% Wilson interval of the accuracy."""
        if not self.num_answered:
            return None
        return wilson_interval(self.num_correct, self.num_answered)


@dataclass(frozen=True)
class RiskCurve:
    """Mistakes among the answered photos, where more and more of the strangest are refused.

    Attributes:
        by: what they are ordered by, in words.
        coverages: shares of photos that are answered, ascending to 1.
        risks: for each, share of the answered ones that are wrong.
    """

    by: str
    coverages: tuple[float, ...]
    risks: tuple[float, ...]


def risk_curve(
    correct: np.ndarray, confidences: np.ndarray, strangeness: np.ndarray | None
) -> RiskCurve:
    """Order photos by how willingly they are answered.

    Args:
        correct: bool `(n,)`, one photo or more.
        confidences: float `(n,)`, probabilities of the classes that were given.
        strangeness: float `(n,)`; of equals, the more probable one comes first. None: by
            probability alone.
    """
    first = -confidences if strangeness is None else strangeness
    order = np.lexsort((-confidences, first))
    wrong, answered = np.cumsum(~correct[order]), np.arange(1, len(correct) + 1)
    return RiskCurve(
        "probability" if strangeness is None else "strangeness",
        tuple((answered / len(correct)).tolist()),
        tuple((wrong / answered).tolist()),
    )


def refusal(correct: np.ndarray, refused: Sequence[bool] | np.ndarray, share: float) -> Refusal:
    """Count what is answered, and how much of it is right.

    Args:
        correct: bool `(n,)`, whether the most probable class is the right one.
        refused: bool `(n,)`.
        share: of ordinary photos that may be refused.
    """
    answered = ~np.asarray(refused, bool)
    return Refusal(share, len(correct), int(answered.sum()), int((correct & answered).sum()))
