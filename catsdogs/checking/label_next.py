"""Which photos without a label to label next: of each kind of photo, the one a model doubts most.

All photos are put into half as many clusters again as photos are wanted, and of each the one counts
that the model is least sure of; the least sure of these are taken. In the manner of Citovsky et
al., "Batch Active Learning at Scale", 2021. Without clusters, or with many more, they would be the
odd photos, which teach a young model little of all others (docs/review.md).
"""

import warnings

import numpy as np

from catsdogs.checking.neighbours import unit_features

_CLUSTERS_A_PHOTO = 1.5
"""Measured with 1, 1.5 and 2: with 1, photos of a rare class are hardly found, with 2, of two even
classes a worse training set comes out than at random."""

_MOST_CLUSTERS = 1000
_MOST_CLUSTERED = 10_000
"""Photos that clusters are made of, and how many: the time grows with their product. Any more
photos are put into the clusters of an even part of them, and more are taken of each cluster."""


def unsureness(probabilities: np.ndarray) -> np.ndarray:
    """1 less the lead of the most probable class over the next: `(n,)`, 0 sure, 1 undecided."""
    ordered = np.sort(probabilities, axis=1)
    return 1.0 - (ordered[:, -1] - ordered[:, -2])


def choose_photos(probabilities: np.ndarray, features: np.ndarray, count: int) -> list[int]:
    """Positions of the photos to label next, the most unsure of them first.

    Args:
        probabilities: float `(n, classes)`, of the model.
        features: float `(n, features)`, of the same photos.
        count: how many are wanted; all where there are no more.
    """
    order = np.argsort(-unsureness(probabilities), kind="stable")
    if len(order) <= count:
        return [int(position) for position in order]
    clusters = _clusters(unit_features(features), count)
    taken = np.zeros(clusters.max() + 1, int)
    turns = np.empty(len(order), int)  # how many of its cluster come before
    for place, position in enumerate(order):
        turns[place] = taken[clusters[position]]
        taken[clusters[position]] += 1
    chosen = np.argsort(turns, kind="stable")[:count]
    return [int(order[place]) for place in np.sort(chosen)]


def _clusters(units: np.ndarray, count: int) -> np.ndarray:
    """A cluster for each photo: int `(n,)`, for features `(n, features)`."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    some = units[:: -(-len(units) // _MOST_CLUSTERED)]
    num_different = len({row.tobytes() for row in some})
    num_clusters = min(round(_CLUSTERS_A_PHOTO * count), _MOST_CLUSTERS, num_different)
    with warnings.catch_warnings():
        # photos that are nearly the same leave clusters empty
        warnings.simplefilter("ignore", ConvergenceWarning)
        means = KMeans(num_clusters, n_init=1, random_state=0).fit(some)
    return np.asarray(means.predict(units))
