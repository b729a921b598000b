"""The optimum of a regularised log loss, for one strength of the regularisation."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from catsdogs.evaluation.log_loss import log_sum_exp

_MAX_ITERATIONS = 2000

_CURVATURE = 0.05
"""Of the log loss in a logit, p (1 - p): what it is about where most photos are told apart."""


@dataclass(frozen=True)
class WeighedPhotos:
    """What a head is solved on.

    Attributes:
        inputs: float `(n, inputs)`, features along their principal axes.
        labels: int `(n,)`.
        weights: float64 `(n,)`, what each weighs in the loss.
        num_classes: two or more.
        stop_if_asked: called in every step.
    """

    inputs: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    num_classes: int
    stop_if_asked: Callable[[], None]

    def some(self, positions: np.ndarray) -> "WeighedPhotos":
        """Those at some positions."""
        return replace(
            self,
            inputs=self.inputs[positions],
            labels=self.labels[positions],
            weights=self.weights[positions],
        )


def scores_of(inputs: np.ndarray, solution: np.ndarray) -> np.ndarray:
    """Scores, float64 `(n, columns)`, for inputs `(n, inputs)` and what `solve` gives."""
    return inputs @ solution[:-1].astype(inputs.dtype) + solution[-1]


def of_each_class(values: np.ndarray, num_classes: int) -> np.ndarray:
    """Scores or a solution `(…, columns)` with a column a class, of two classes as well."""
    return values * np.array([-0.5, 0.5]) if num_classes == 2 else values


def losses_and_slopes(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log losses `(n,)`, and their slopes in the scores, `(n, columns)`.

    Args:
        scores: of each class; or one column, by how much the second of two is ahead.
        labels: int `(n,)`.
    """
    if scores.shape[1] == 1:
        ahead = scores[:, 0]
        second = 1 / (1 + np.exp(-np.clip(ahead, -700, 700)))
        return np.logaddexp(0, ahead) - labels * ahead, (second - labels)[:, None]
    rows, sums = np.arange(len(labels)), log_sum_exp(scores)
    slopes = np.exp(scores - sums[:, None])  # probabilities
    slopes[rows, labels] -= 1
    return sums - scores[rows, labels], slopes


def solve(
    photos: WeighedPhotos, strength: float, tolerance: float, start: np.ndarray | None = None
) -> np.ndarray:
    """Minimise the weighted mean log loss plus half the squared kernel over C times the weights.

    To the precision of the inputs. The same optimum as scikit-learn's
    `LogisticRegression(C=strength)`. Of two classes, whose columns are each other's opposite, the
    difference is solved for. The bias is not regularised.

    Args:
        photos: what is solved on.
        strength: C, the inverse strength of the regularisation.
        tolerance: largest component of the gradient at which a solution counts as found.
        start: a solution of something like it; None: zeros.

    Returns:
        float64 `(inputs + 1, columns)`, the bias in the last row: a column a class, or one for
        the lead of the second of two.
    """
    from scipy.optimize import minimize

    inputs, labels = photos.inputs, photos.labels
    columns = photos.num_classes if photos.num_classes > 2 else 1
    shares = photos.weights / photos.weights.sum()
    penalty = 1 / (strength * photos.weights.sum())
    if columns == 1:  # twice the square of half the difference
        penalty /= 2
    shape = (inputs.shape[1] + 1, columns)
    variances = np.append(np.square(inputs).mean(axis=0), 1.0)
    scale = np.sqrt(_CURVATURE * variances + penalty)[:, None]  # (inputs + 1, 1)

    def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        photos.stop_if_asked()
        solution = flat.reshape(shape) / scale
        losses, slopes = losses_and_slopes(scores_of(inputs, solution), labels)
        loss = shares @ losses + penalty / 2 * np.square(solution[:-1]).sum()
        slopes *= shares[:, None]
        gradient = np.empty(shape)
        gradient[:-1] = inputs.T @ slopes.astype(inputs.dtype) + penalty * solution[:-1]
        gradient[-1] = slopes.sum(axis=0)
        return float(loss), (gradient / scale).ravel()

    begin = np.zeros(shape) if start is None else start * scale
    options = {"gtol": tolerance, "ftol": 0.0, "maxiter": _MAX_ITERATIONS, "maxfun": 10**6}
    found = minimize(loss_and_gradient, begin.ravel(), jac=True, method="L-BFGS-B", options=options)
    return found.x.reshape(shape) / scale
