"""Learning what photos of the classes look like; see `catsdogs/model/known_photos.py`."""

import numpy as np
from threadpoolctl import threadpool_limits

from catsdogs.model.known_photos import (
    MOST_AXES,
    MOST_HELD_OUT,
    KnownPhotos,
    distances,
    of_length_one,
)

_PHOTOS_AN_AXIS = 4
"""So many training photos stand behind each axis, or there are fewer axes."""


def learn_known_photos(
    features: np.ndarray, held_out: np.ndarray, confidences: np.ndarray
) -> KnownPhotos | None:
    """Learn what photos of the classes look like.

    Args:
        features: float `(n, features)`, of training photos.
        held_out: float `(m, features)`, of photos that were not trained on.
        confidences: float `(m,)`, probability of the class that each of these was given.

    Returns:
        None where there are too few photos, or all of them look the same.
    """
    fitted = _fit(features)
    if fitted is None or not len(held_out):
        return None
    return _with_scale(fitted, distances(held_out, *fitted), confidences)


def learn_in_folds(
    features: np.ndarray, folds: np.ndarray, confidences: np.ndarray
) -> KnownPhotos | None:
    """The same where all photos were trained on: each is measured by those of the other folds.

    Args:
        features: float `(n, features)`.
        folds: int `(n,)`.
        confidences: float `(n,)`, of answers by heads that had not seen the photo.
    """
    fitted = _fit(features)
    found = np.empty(len(features))
    for fold in np.unique(folds):
        others = _fit(features[folds != fold])
        if others is None:
            return None
        found[folds == fold] = distances(features[folds == fold], *others)
    return None if fitted is None else _with_scale(fitted, found, confidences)


_Fitted = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Mean, axes, spreads."""


def _with_scale(
    fitted: _Fitted, held_out_distances: np.ndarray, confidences: np.ndarray
) -> KnownPhotos:
    """What was fitted, with the held-out photos that tell how far is too far, evenly thinned."""
    table = np.stack([confidences, held_out_distances], axis=1).astype(np.float32)
    if len(table) > MOST_HELD_OUT:
        table = table[np.linspace(0, len(table) - 1, MOST_HELD_OUT).round().astype(int)]
    return KnownPhotos(*fitted, table)


def _fit(features: np.ndarray) -> _Fitted | None:
    with threadpool_limits(1, user_api="blas"):  # as for a logistic head
        return _fitted(features)


def _fitted(features: np.ndarray) -> _Fitted | None:
    values = of_length_one(features)
    count, num_features = values.shape
    num_axes = min(MOST_AXES, count // _PHOTOS_AN_AXIS, num_features - 1)
    if num_axes < 1:
        return None
    mean = values.mean(axis=0)
    centred = values - mean
    # the smaller of the two matrices has the same eigenvalues
    if num_features <= count:
        along, axes = _largest(centred.T @ centred / count, num_axes)
    else:
        along, vectors = _largest(centred @ centred.T / count, num_axes)
        axes = centred.T @ vectors
        axes /= np.maximum(np.linalg.norm(axes, axis=0), 1e-12)
    total = float((centred**2).sum()) / count
    left = max(0.0, total - float(along.sum())) / (num_features - num_axes)
    if not left:
        return None
    spreads = np.sqrt(np.append(np.maximum(along, left), left))
    return mean.astype(np.float32), axes.astype(np.float32), spreads.astype(np.float32)


def _largest(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues of a symmetric matrix, falling, and their vectors as columns."""
    from scipy.linalg import eigh  # not for those who only ask a model

    last = len(matrix) - 1
    values, vectors = eigh(matrix, subset_by_index=(last - count + 1, last))
    return values[::-1], vectors[:, ::-1]
