"""Which photos without a label to label next: those a model is unsure of, and no two alike.

Zhdanov, "Diverse mini-batch Active Learning", 2019: of the photos that the model is least sure of,
ten times as many as are wanted, clusters are made, weighted by how unsure it is; of each cluster
the photo nearest to its centre is taken.
"""

import numpy as np

_POOL = 10
"""So many times the photos that are wanted are clustered, and at most half of all: a cluster of
photos that the model is sure of would be chosen from as well."""


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
    from sklearn.cluster import KMeans

    unsure = unsureness(probabilities)
    size = max(count, min(_POOL * count, len(unsure) // 2))
    pool = np.argsort(-unsure, kind="stable")[:size]
    if len(pool) <= count:
        return [int(position) for position in pool]
    points = features[pool].astype(np.float32)
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-6)
    weights = np.maximum(unsure[pool], 1e-6)
    clusters = KMeans(count, n_init=1, random_state=0).fit(points, sample_weight=weights)
    distances = np.linalg.norm(points - clusters.cluster_centers_[clusters.labels_], axis=1)
    nearest: dict[int, int] = {}
    for place in np.argsort(distances, kind="stable"):
        nearest.setdefault(int(clusters.labels_[place]), int(place))
    chosen = sorted(nearest.values())  # the pool is in order of unsureness
    # copies leave clusters empty
    rest = [place for place in range(len(pool)) if place not in set(chosen)]
    return [int(pool[place]) for place in sorted([*chosen, *rest[: count - len(chosen)]])]
