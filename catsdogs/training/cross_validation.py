"""Folds in which every photo is answered for by a head that has not seen it, nor its copies."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from catsdogs.errors import DataError


@dataclass(frozen=True)
class OutOfFold:
    """Answers for photos that are trained on, each by a head that has not seen it.

    Attributes:
        logits: float64 `(n, classes)`.
        folds: int `(n,)`, what each photo was put to; the others gave its head.
    """

    logits: np.ndarray
    folds: np.ndarray


Fit = Callable[[np.ndarray], Callable[[np.ndarray], np.ndarray]]
"""Positions of photos to train on, to what gives logits `(n, classes)` for features."""


def assign_folds(
    labels: np.ndarray, groups: Sequence[Hashable] | None, num_folds: int
) -> np.ndarray:
    """Give each photo a fold: classes spread evenly, groups never split, nothing drawn.

    Which fold a group gets depends on the order of the photos alone.

    Args:
        labels: int `(n,)`, indices of classes.
        groups: of each photo, what must stay together, for example copies; None: each photo is
            a group of its own.
        num_folds: two or more; folds stay empty where there are fewer groups.

    Returns:
        int array `(n,)`, 0 to `num_folds - 1`.
    """
    members: dict[Hashable, list[int]] = {}
    for index in range(len(labels)):
        members.setdefault(index if groups is None else groups[index], []).append(index)
    folds = np.zeros(len(labels), int)
    num_classes = int(labels.max()) + 1 if len(labels) else 0
    of_class = np.zeros((num_folds, num_classes), int)
    in_fold = np.zeros(num_folds, int)
    # the largest groups first, while there is room to balance them; Python's sort is stable
    for indices in sorted(members.values(), key=len, reverse=True):
        counts = np.bincount(labels[indices], minlength=num_classes)
        crowd = of_class[:, counts > 0].sum(axis=1)
        fold = min(range(num_folds), key=lambda f: (crowd[f], in_fold[f], f))
        folds[indices] = fold
        of_class[fold] += counts
        in_fold[fold] += len(indices)
    return folds


def require_two_folds(folds: np.ndarray) -> None:
    """Make sure that the photos of one fold can be answered for by those of another.

    Args:
        folds: int `(n,)`, as `assign_folds` gives it.

    Raises:
        DataError: all photos are in one.
    """
    if len(np.unique(folds)) < 2:
        raise DataError(
            "the photos are copies of one, or one group: no fold can be answered for by another"
        )


def splits(folds: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions to train on and positions to answer for, a pair a fold; empty folds left out.

    Args:
        folds: int `(n,)`, as `assign_folds` gives it.
    """
    for fold in np.unique(folds):
        yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def cross_validate(
    features: np.ndarray, labels: np.ndarray, folds: np.ndarray, num_classes: int, fit: Fit
) -> OutOfFold:
    """Answer for every photo by a head that was fitted on the other folds.

    Args:
        features: float `(n, features)`.
        labels: int `(n,)`, indices of classes.
        folds: int `(n,)`, as `assign_folds` gives it; two different ones at least.
        num_classes: how many there are.
        fit: positions to train on to a function from features to logits.

    Returns:
        An answer for each photo, by a head that has not seen its fold.
    """
    logits = np.empty((len(labels), num_classes))
    for known, asked in splits(folds):
        logits[asked] = fit(known)(features[asked])
    return OutOfFold(logits, folds)
