"""The photos that are most like each photo, by their features."""

import numpy as np

_CHUNK_BYTES = 2**26
"""Of similarities in memory at once."""


def unit_features(features: np.ndarray) -> np.ndarray:
    """Features about their mean, each photo's of length 1: float32 `(n, features)`."""
    centred = features.astype(np.float32)
    centred -= centred.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    centred /= np.maximum(lengths, np.finfo(np.float32).tiny)
    return centred


def nearest_neighbours(units: np.ndarray, num_neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest others of each photo; time grows with the square of their number.

    Args:
        units: as `unit_features` gives them, `(n, features)`.
        num_neighbours: at most; fewer where there are fewer photos.

    Returns:
        Positions, int `(n, k)`, the nearest first, and their cosines, float32 `(n, k)`.
    """
    count = len(units)
    k = min(num_neighbours, count - 1)
    positions = np.empty((count, k), int)
    cosines = np.empty((count, k), np.float32)
    rows = max(1, _CHUNK_BYTES // (4 * count))
    for start in range(0, count, rows):
        similar = units[start : start + rows] @ units.T  # (rows, n)
        own = np.arange(len(similar))
        similar[own, start + own] = -np.inf
        best = np.argpartition(similar, -k, axis=1)[:, -k:]
        found = np.take_along_axis(similar, best, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        positions[start : start + rows] = np.take_along_axis(best, order, axis=1)
        cosines[start : start + rows] = np.take_along_axis(found, order, axis=1)
    return positions, cosines
