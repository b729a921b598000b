"""A linear head solved to its optimum: L2-regularised multinomial logistic regression.

No epochs, no learning rate and no seed. How strong the regularisation is, is chosen by
cross-validation on the training photos alone, so that validation photos choose nothing and
their accuracy is clean. What comes out is one dense layer with a softmax.
"""

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from catsdogs.data.batches import num_decode_threads
from catsdogs.training.class_weights import balanced_weights
from catsdogs.training.cross_validation import assign_folds, require_two_folds, splits
from catsdogs.training.heads.optimum import (
    WeighedPhotos,
    losses_and_slopes,
    of_each_class,
    scores_of,
    solve,
)

STRENGTHS = tuple(float(f"{10.0**exponent:.3g}") for exponent in np.arange(-5, 1.01, 0.5))
"""Inverse strengths of the regularisation that are tried: C of 1e-5 to 10, in half decades.

Measured with standardised features: 2,000 photos of two classes ask for 0.03, ten photos of each of
37 classes for the weakest. There the loss is flat: up to 100, at a tolerance of 1e-4, the log loss
was 0.440 in place of 0.414 (EfficientNet-Lite0, 370 photos answered in five folds), and no photo
more right."""

NUM_FOLDS = 5
"""Of the cross-validation that chooses among them."""

_PRIOR_PHOTOS = 10
"""What the spread of all features counts for beside that of one, in photos.

Measured on EfficientNet-Lite0's features, thirty times three breeds with five photos each: 0.940
of the other photos right without it (log loss 0.763), 0.996 to 0.989 with 2 to 100 (0.042 to
0.050)."""

_PATIENCE = 2
"""So many weaker regularisations without a better loss end the search: the weakest ones take
longest to solve."""

_VALLEY = 0.9
"""The search ends where the loss has fallen to this share of the strongest regularisation's. With
few photos a class the loss rises before it falls: a fold knows less of the very classes that it is
asked for, and a head that hardly looks at the photos goes by how many it knows of each (37 classes
of two photos: 3.61, 3.57, 3.96, 3.72, 3.10 ... 1.93)."""

_UNCOMPARED = 1.0
"""C where no photo can be answered for by others of its class. Of two to 37 classes of one photo
each the loss of other photos falls with every weaker regularisation, to 0.32 to 1.28, and most of
it up to here (EfficientNet-Lite0)."""

_CHOICE_TOLERANCE, _FINAL_TOLERANCE = 1e-3, 1e-7
"""Largest component of the gradient of the mean loss at which a solution counts as found: where
strengths are compared, and for the head itself. 1e-4 to compare with took twice the time on the 370
photos, and gave a log loss of 0.420 in place of 0.414."""

_ANSWER_TOLERANCE, _ANSWER_TOLERANCE_OF_ALL = 1e-4, 2e-3
"""The same for answers from nothing; the second is shared out among the classes, as gradients are.
1e-3 ended so early that the log loss of 370 photos of 37 classes was 1.80 in place of 0.40, and
that of 151 photos of two 0.27 in place of 0.01."""


@dataclass(frozen=True)
class LinearHead:
    """A dense layer that ends in a softmax.

    Attributes:
        kernel: float32 `(features, classes)`.
        bias: float32 `(classes,)`.
        strength: C, the inverse strength of the regularisation that it was solved with.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strength: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Scores before the softmax, float32 `(n, classes)`, for features `(n, features)`."""
        return features.astype(np.float32) @ self.kernel + self.bias


def fit_logistic(
    features: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    groups: Sequence[Hashable] | None = None,
    balanced: bool = False,
    stop_if_asked: Callable[[], None] = lambda: None,
    weights: np.ndarray | None = None,
) -> LinearHead:
    """Solve the head on features, with the regularisation that cross-validates best.

    Args:
        features: float `(n, features)`, of the training photos.
        labels: int `(n,)`, indices of classes.
        num_classes: two or more; a class without photos gets a low score everywhere.
        groups: of each photo, what must not be split between folds; None: nothing.
        balanced: every class weighs the same in the loss, however many photos it has.
        stop_if_asked: called in every step, from several threads; ends the work by what it
            raises.
        weights: float `(n,)`, what each photo counts for in the loss; None: all the same.
    """
    import scipy.optimize  # noqa: F401 - before its threads are limited, too

    # matrices so small are multiplied sooner than threads have found each other: 37 classes with
    # 296 photos took 2.4 s with one and 75 s with two, beside other processes on two cores
    with threadpool_limits(1, user_api="blas"):
        counts_for = np.ones(len(labels)) if weights is None else weights.astype(np.float64)
        if balanced:
            counts_for = counts_for * balanced_weights(labels, num_classes)[labels]
        standard, mean, spread = _standardised(features)
        axes = _principal_axes(standard)
        photos = WeighedPhotos(standard @ axes, labels, counts_for, num_classes, stop_if_asked)
        strength, start = _choose_strength(photos, groups)
        solution = solve(photos, strength, _FINAL_TOLERANCE, start)
    solution = of_each_class(solution, num_classes)
    kernel, bias = axes @ solution[:-1] / spread[:, None], solution[-1]
    bias = bias - mean @ kernel
    return LinearHead(kernel.astype(np.float32), bias.astype(np.float32), strength)


def out_of_fold_logits(
    features: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    groups: Sequence[Hashable] | None = None,
) -> np.ndarray:
    """Answer for every photo by a head that was solved without it, nor its group.

    As cross-validating `fit_logistic` does, in a fifth of the time: all folds share the one
    regularisation that is best over them, and the axes of all photos' features, which no label
    has a part in. Good for finding labels that are wrong, not for an accuracy to report.

    Args:
        features: float `(n, features)`.
        labels: int `(n,)`, indices of classes.
        num_classes: two or more.
        groups: of each photo, what must not be split between folds; None: nothing.

    Returns:
        float64 `(n, num_classes)`.

    Raises:
        DataError: all photos are of one group.
    """
    import scipy.optimize  # noqa: F401 - before its threads are limited, too

    assigned = assign_folds(labels, groups, NUM_FOLDS)
    require_two_folds(assigned)
    folds = list(splits(assigned))
    with threadpool_limits(1, user_api="blas"):
        standard, *_ = _standardised(features)
        inputs = (standard @ _principal_axes(standard)).astype(np.float32)
        del standard
        photos = WeighedPhotos(inputs, labels, np.ones(len(labels)), num_classes, lambda: None)
        strength, _ = _choose_strength(photos, groups)
        tolerance = min(_ANSWER_TOLERANCE, _ANSWER_TOLERANCE_OF_ALL / num_classes)

        def answer(fold: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
            known, asked = fold
            # from nothing: the mean of all folds' heads has seen the photos that are asked for
            found = solve(photos.some(known), strength, tolerance)
            return of_each_class(scores_of(inputs[asked], found), num_classes)

        logits = np.empty((len(labels), num_classes))
        with ThreadPoolExecutor(num_decode_threads(0), thread_name_prefix="folds") as pool:
            for (_, asked), answers in zip(folds, pool.map(answer, folds), strict=True):
                logits[asked] = answers
    return logits


def _standardised(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features about their mean and by their spread, and both of these."""
    mean, spread = features.mean(axis=0, dtype=np.float64), feature_spreads(features)
    return (features - mean) / spread, mean, spread


def feature_spreads(features: np.ndarray) -> np.ndarray:
    """What each feature is divided by: its standard deviation, drawn towards that of all.

    Few photos say little about it: a feature that is zero but for a trace in one of them would be
    blown up a hundredfold in the next photo that has it.

    Args:
        features: float `(n, features)`.

    Returns:
        float64 `(features,)`, positive.
    """
    variances = features.var(axis=0, dtype=np.float64)
    count = len(features)
    drawn = (count * variances + _PRIOR_PHOTOS * variances.mean()) / (count + _PRIOR_PHOTOS)
    return np.sqrt(drawn) if variances.any() else np.ones_like(variances)


def _principal_axes(standard: np.ndarray) -> np.ndarray:
    """Orthonormal axes of the photos, `(features, rank)`: the optimum lies in their span.

    Along them the regularised loss is as steep as the photos' spread alone says, so that
    `solve` can even it out: on features of VGG16 ten times fewer iterations.
    """
    photos, features = standard.shape
    if features <= photos:
        values, vectors = np.linalg.eigh(standard.T @ standard)
    else:
        values, vectors = np.linalg.eigh(standard @ standard.T)
    kept = values > max(values[-1], 1e-300) * 1e-12
    if features <= photos:
        return vectors[:, kept]
    return standard.T @ (vectors[:, kept] / np.sqrt(values[kept]))


def _choose_strength(
    photos: WeighedPhotos, groups: Sequence[Hashable] | None
) -> tuple[float, np.ndarray | None]:
    """The C with the best cross-validated log loss, the stronger regularisation of equals.

    Returns:
        It, and the mean of the heads that were solved with it: near to the one of all photos.
    """
    # in float32: half the memory to go through, and far more exact than the folds are alike
    coarse = replace(photos, inputs=photos.inputs.astype(np.float32))
    folds = [
        _Fold(coarse, known, asked)
        for known, asked in splits(assign_folds(photos.labels, groups, NUM_FOLDS))
    ]
    best, best_loss, since_best = _UNCOMPARED, np.inf, 0
    solution = None
    if not any(fold.num_asked for fold in folds):
        return best, solution
    with ThreadPoolExecutor(num_decode_threads(0), thread_name_prefix="folds") as pool:
        for strength in STRENGTHS:
            total = sum(pool.map(_Fold.loss, folds, [strength] * len(folds)))
            if strength == STRENGTHS[0]:
                loss_of_strongest = total
            if total < best_loss:
                best, best_loss, since_best = strength, total, 0
                solution = np.mean([f.solution for f in folds if f.solution is not None], axis=0)
            elif best_loss < _VALLEY * loss_of_strongest:
                since_best += 1
                if since_best == _PATIENCE:
                    break
    return best, solution


class _Fold:
    """A part of the photos, answered for by heads that are solved on all others.

    Args:
        photos: all of them.
        known: positions of those to solve on.
        asked: positions of those to answer for. A photo whose class is not among the known ones
            is not asked for: it would say that the surest head is the worst.

    Attributes:
        num_asked: photos that are answered for.
        solution: the last one.
    """

    def __init__(self, photos: WeighedPhotos, known: np.ndarray, asked: np.ndarray) -> None:
        can_be_known = np.isin(photos.labels[asked], photos.labels[known])
        self._known, self._asked = photos.some(known), photos.some(asked[can_be_known])
        self.num_asked = len(self._asked.labels)
        self.solution: np.ndarray | None = None

    def loss(self, strength: float) -> float:
        """The log loss over the photos asked for, weighed; the next one starts from its head."""
        self.solution = found = solve(self._known, strength, _CHOICE_TOLERANCE, self.solution)
        losses, _ = losses_and_slopes(scores_of(self._asked.inputs, found), self._asked.labels)
        return float(self._asked.weights @ losses)
