"""How sure figures are that are no plain shares of photos."""

import math

import numpy as np
from sklearn import metrics

from catsdogs.evaluation.score import Z95

_NUM_RESAMPLES = 1000


def loss_interval(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, float] | None:
    """The 95% interval of the mean log loss, from its spread over the photos.

    Args:
        labels: `(n,)`, indices of classes.
        probabilities: float `(n, classes)`, 0 to 1.

    Returns:
        Lower and upper bound in nats; None for fewer than two photos.
    """
    if len(labels) < 2:
        return None
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    losses = -np.log(np.maximum(own, np.finfo(np.float64).eps))
    spread = Z95 * losses.std(ddof=1) / math.sqrt(len(losses))
    return max(0.0, float(losses.mean() - spread)), float(losses.mean() + spread)


def auc_interval(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, float] | None:
    """The 95% interval of the area under the ROC curve of two classes, by a seeded bootstrap.

    Photos are drawn with replacement, from each class as many as it has.

    Args:
        labels: `(n,)`, 0 or 1.
        probabilities: float `(n, 2)`, 0 to 1.

    Returns:
        Lower and upper bound; None beyond two classes, with one photo in a class, and where
        the classes are told apart without a fault: no redrawing shows how sure that is.
    """
    if probabilities.shape[1] != 2:
        return None
    scores = probabilities[:, 1]
    negative, positive = scores[labels == 0], scores[labels == 1]
    if min(len(negative), len(positive)) < 2 or negative.max() < positive.min():
        return None
    truth = np.repeat([0, 1], [len(negative), len(positive)])
    generator = np.random.default_rng(0)
    areas = [
        metrics.roc_auc_score(
            truth,
            np.concatenate([generator.choice(part, len(part)) for part in (negative, positive)]),
        )
        for _ in range(_NUM_RESAMPLES)
    ]
    low, high = np.percentile(areas, [2.5, 97.5])
    return float(low), float(high)
