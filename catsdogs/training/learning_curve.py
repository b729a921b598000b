"""Accuracy against the number of photos trained on, and what more of them should give."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from catsdogs.evaluation.score import Z95, wilson_interval
from catsdogs.training.cross_validation import assign_folds, splits
from catsdogs.training.heads.logistic import fit_logistic
from catsdogs.training.photo_features import Photos

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Of the photos that are left to train on where a fold is set aside."""

_LEAST_A_CLASS = 2
"""Photos a class, on average, below which a share is left out: it would say nothing."""


@dataclass(frozen=True)
class CurvePoint:
    """What heads that saw so many photos answer for all the others.

    Attributes:
        num_training: photos that a head was trained on, on average over the folds.
        num_correct: photos that were answered for right, each by a head that had not seen it.
        num_photos: all photos.
    """

    num_training: int
    num_correct: int
    num_photos: int

    @property
    def accuracy(self) -> float:
        """Share of photos that were answered for right."""
        return self.num_correct / self.num_photos

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95% Wilson interval."""
        return wilson_interval(self.num_correct, self.num_photos)


def learning_curve(
    photos: Photos,
    num_folds: int,
    balanced: bool = False,
    on_fitted: Callable[[int], None] = lambda _: None,
) -> list[CurvePoint]:
    """Cross-validate solved heads on growing shares of the photos, each share within the next.

    Args:
        photos: their features; two classes or more.
        num_folds: two or more.
        balanced: every class weighs the same in the loss.
        on_fitted: called with the number of heads fitted since the last call.

    Returns:
        A point for each share that has two photos a class, the smallest first; one at least.
    """
    features, labels, groups = photos.features, photos.labels, photos.units
    num_classes = len(photos.class_names)
    folds = list(splits(assign_folds(labels, groups, num_folds)))
    points = []
    for share in SHARES:
        correct, num_known = 0, []
        for known, asked in folds:
            some = _share_of(known, labels, groups, share)
            head = fit_logistic(
                features[some],
                labels[some],
                num_classes,
                [groups[i] for i in some],
                balanced,
                weights=photos.weights[some],
            )
            correct += int((head.logits(features[asked]).argmax(axis=1) == labels[asked]).sum())
            num_known.append(len(some))
            on_fitted(1)
        num_training = round(float(np.mean(num_known)))
        if num_training >= _LEAST_A_CLASS * num_classes or share == SHARES[-1]:
            points.append(CurvePoint(num_training, correct, len(labels)))
    return points


def _share_of(
    known: np.ndarray, labels: np.ndarray, groups: Sequence[Hashable], share: float
) -> np.ndarray:
    """A share of each class, one photo at least, without splitting groups: int positions."""
    if share == 1:
        return known
    num_parts = round(1 / share)
    parts = assign_folds(labels[known], [groups[i] for i in known], num_parts)
    return known[parts == 0]


@dataclass(frozen=True)
class PowerLaw:
    """The share of wrong answers as `exp(intercept) * n ** slope`, n photos trained on.

    Hestness et al., "Deep Learning Scaling is Predictable, Empirically", 2017.

    Attributes:
        intercept, slope: of the logarithm of the error over the logarithm of n.
        covariance: of the two, `(2, 2)`.
    """

    intercept: float
    slope: float
    covariance: np.ndarray

    def accuracy(self, num_training: float) -> float:
        """What it says for so many photos, 0 to 1."""
        return 1 - min(1.0, math.exp(self.intercept + self.slope * math.log(num_training)))

    def interval(self, num_training: float) -> tuple[float, float]:
        """The 95% interval of that, as far as the law holds."""
        at = np.array([1.0, math.log(num_training)])
        centre = self.intercept + self.slope * at[1]
        spread = Z95 * math.sqrt(max(0.0, float(at @ self.covariance @ at)))
        low, high = (1 - min(1.0, math.exp(centre + sign * spread)) for sign in (1, -1))
        return low, high


def fit_power_law(points: Sequence[CurvePoint]) -> PowerLaw | None:
    """Fit the law by weighted least squares; None for fewer than three points.

    A point weighs as much as it has wrong answers, which is the inverse variance of the
    logarithm of their share. More photos are taken to do no harm: the slope is 0 at most.
    """
    if len({point.num_training for point in points}) < 3:
        return None
    # half a photo more of either kind, so that no wrong answer at all has a logarithm
    wrong = np.array([p.num_photos - p.num_correct + 0.5 for p in points])
    errors = wrong / np.array([p.num_photos + 1 for p in points])
    design = np.stack([np.ones(len(points)), np.log([p.num_training for p in points])], axis=1)
    covariance = np.linalg.inv(design.T @ (wrong[:, None] * design))
    intercept, slope = covariance @ design.T @ (wrong * np.log(errors))
    if slope > 0:
        intercept, slope = math.log(float(wrong @ errors / wrong.sum())), 0.0
    return PowerLaw(float(intercept), float(slope), covariance)
