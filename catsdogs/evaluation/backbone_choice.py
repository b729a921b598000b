"""Which of several networks to train on, by what each gave in cross-validation."""

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from catsdogs.evaluation.score import wilson_interval


class BackboneTrial(BaseModel):
    """What a network gave; in a run's record and in a model file.

    Attributes:
        name: of the network.
        image_size: height and width of the photos that it was shown, in pixels.
        multiply_adds: for a photo of that size.
        num_right: photos that were answered for rightly, each by a logistic head that had not
            seen it.
        num_photos: of all that were asked for.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    image_size: tuple[int, int]
    multiply_adds: int = Field(ge=0)
    num_right: int = Field(ge=0)
    num_photos: int = Field(ge=1)

    @property
    def accuracy(self) -> float:
        """Share of photos that were answered for rightly."""
        return self.num_right / self.num_photos

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95% Wilson interval."""
        return wilson_interval(self.num_right, self.num_photos)

    @property
    def standard_error(self) -> float:
        """Of the accuracy. Two photos more of either kind keep it above 0 where all are right.

        Agresti and Coull, "Approximate is better than exact", 1998.
        """
        share = (self.num_right + 2) / (self.num_photos + 4)
        return math.sqrt(share * (1 - share) / self.num_photos)


def choose_trial(trials: Sequence[BackboneTrial]) -> BackboneTrial:
    """The quickest network that is not worse than the best by more than one standard error.

    The rule of Breiman et al., "Classification and Regression Trees", 1984: what lies within a
    standard error of the best is not known to be worse, so the cheaper one is taken.

    Args:
        trials: one or more, all on the same photos.
    """
    best = max(trials, key=lambda trial: (trial.accuracy, -trial.multiply_adds))
    good = [t for t in trials if t.accuracy >= best.accuracy - best.standard_error]
    return min(good, key=lambda trial: (trial.multiply_adds, -trial.accuracy))
