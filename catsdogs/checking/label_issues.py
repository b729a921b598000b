"""Which labels are probably wrong, by what heads say that have not seen the photos.

Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
Dataset Labels", 2021): a photo counts as one of the class k where its probability of k is at least
the mean that the photos labelled k have. That mean makes up for classes that the heads are surer
of than of others. The package cleanlab finds the same photos (`filter_by="confident_learning"`),
and brings pandas along for it.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A photo whose label is probably wrong.

    Attributes:
        position: of the photo.
        label: the class that it is taken for.
        is_confident: by confident learning; else the heads only find the other class more
            probable, which they do of hard photos as well.
    """

    position: int
    label: int
    is_confident: bool


def find_label_issues(log_probabilities: np.ndarray, labels: np.ndarray) -> list[LabelIssue]:
    """Photos whose label is probably wrong, by how much more probable another class is.

    Confident learning alone leaves out a fifth to a third of the labels that were turned on
    purpose (docs/review.md), so the others that the heads would name otherwise follow by the same
    measure.

    Args:
        log_probabilities: float `(n, classes)`, each row by a head that has not seen the photo.
        labels: int `(n,)`, indices of classes, as given.
    """
    rows = np.arange(len(labels))
    probabilities = np.exp(log_probabilities)
    thresholds = np.full(probabilities.shape[1], np.inf)
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    counted = np.where(probabilities >= thresholds, log_probabilities, -np.inf)
    best_counted = counted.argmax(axis=1)
    is_confident = (best_counted != labels) & np.isfinite(counted[rows, best_counted])
    best = np.where(is_confident, best_counted, log_probabilities.argmax(axis=1))
    # of logarithms: near 0 and 1 probabilities differ too little to tell which is worse
    margins = log_probabilities[rows, labels] - log_probabilities[rows, best]
    found = np.flatnonzero(best != labels)
    return [
        LabelIssue(int(position), int(best[position]), bool(is_confident[position]))
        for position in found[np.argsort(margins[found], kind="stable")]
    ]
