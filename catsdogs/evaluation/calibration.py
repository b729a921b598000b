"""Probabilities that hold: one temperature by which logits are divided.

Guo et al., "On Calibration of Modern Neural Networks", 2017: of what they tried, the best and
the simplest. No answer changes, only how sure it is.
"""

import numpy as np

_LOWEST, _HIGHEST = 0.05, 20.0
"""Bounds of the temperature."""

_STEPS = 60
"""Halvings of the interval between the bounds of its logarithm: to the last digit."""

LEAST_PHOTOS = 50
"""With fewer, a temperature is left as it is: its own uncertainty is larger than its gain."""

_SMALLEST = float(np.finfo(np.float32).tiny)


def fit_temperature(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """The temperature at which the log loss of photos that were not trained on is least.

    The loss is convex in the inverse temperature: the place where its slope changes sign is
    found by halving. One photo in `n + 2` is taken to be another class than it is (Platt,
    "Probabilistic Outputs for Support Vector Machines", 1999): a hundred photos that are all
    named right are no proof that the next one will be.

    Args:
        logits: float `(n, classes)`, of held-out photos, before the softmax; logarithms of
            probabilities do as well.
        labels: int `(n,)`, the class that each belongs to.
        weights: float `(n,)`, what each counts in the loss; None: all the same.

    Returns:
        0.05 to 20; above 1 the classifier was too sure.
    """
    logits = logits.astype(np.float64)
    count, num_classes = logits.shape
    doubt = 1 / (count + 2)
    own = logits[np.arange(count), labels]
    others = (logits.sum(axis=1) - own) / (num_classes - 1)
    expected = (1 - doubt) * own + doubt * others
    share = np.full(count, 1 / count) if weights is None else weights / weights.sum()
    low, high = np.log(_LOWEST), np.log(_HIGHEST)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        # derivative of the mean loss in the inverse temperature
        means = (softmax(logits * np.exp(-middle)) * logits).sum(axis=1)
        if share @ (means - expected) > 0:
            low = middle  # less sure is better
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities `(n, classes)` as they are where their logits are divided by that."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))
    return softmax(logits / temperature)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits `(n, classes)` as probabilities."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
