"""Confident learning: which labels are probably wrong, by what heads say that have not seen them.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021:
a photo counts as one of the class k where its probability of k is at least the mean that the
photos labelled k have. That mean makes up for classes that the heads are surer of than of others.
The package cleanlab does the same (`filter_by="confident_learning"`, ranked by normalised
margin); these lines find the same photos without pandas, which it brings along.
"""

import numpy as np


def find_label_issues(log_probabilities: np.ndarray, labels: np.ndarray) -> list[tuple[int, int]]:
    """Photos whose label is probably wrong, the most probable first.

    Args:
        log_probabilities: float `(n, classes)`, each row by a head that has not seen the photo.
        labels: int `(n,)`, indices of classes, as given.

    Returns:
        Position of the photo, and the class that it counts as.
    """
    probabilities = np.exp(log_probabilities)
    num_classes = probabilities.shape[1]
    present = np.unique(labels)
    thresholds = np.full(num_classes, np.inf)
    for label in present:
        thresholds[label] = probabilities[labels == label, label].mean()
    counted = np.where(probabilities >= thresholds, log_probabilities, -np.inf)
    best = counted.argmax(axis=1)  # (n,)
    rows = np.arange(len(labels))
    issues = np.flatnonzero((best != labels) & np.isfinite(counted[rows, best]))
    # of logarithms: near 0 and 1 probabilities differ too little to tell which is worse
    margins = log_probabilities[issues, labels[issues]] - log_probabilities[issues, best[issues]]
    order = np.argsort(margins, kind="stable")
    return [(int(issues[i]), int(best[issues[i]])) for i in order]
