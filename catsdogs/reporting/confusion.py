"""Who is taken for whom, where there are too many classes for a table of them all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catsdogs.evaluation.figures import Evaluation

_MOST_CELLS = 5_000
"""Of mistakes on a map: the most frequent ones. More would weigh megabytes, and show nothing."""

_MOST_NAMES = 60
"""Classes up to which a map has their names beside it."""

_MOST_ORDERED = 1_000
"""Classes up to which they are brought into an order; it takes the square of their number."""

_MOST_CONFUSED = 10
"""Classes in the table of those that are confused most."""


@dataclass(frozen=True)
class Cell:
    """Photos of one class that were given one class, on a map.

    Attributes:
        row, column: places of the true and of the predicted class.
        label, class_name: their names.
        count: how many photos.
        share: of the photos of the true class, 0 to 1.
    """

    row: int
    column: int
    label: str
    class_name: str
    count: int
    share: float


@dataclass(frozen=True)
class ConfusionMap:
    """The confusion matrix as a picture: classes that are taken for each other lie together.

    Attributes:
        names: of all classes, in the order of rows and columns.
        cells: those with photos in them; of mistakes at most so many, the most frequent.
        has_names: the names are few enough to stand beside it.
    """

    names: Sequence[str]
    cells: Sequence[Cell]
    has_names: bool


def confusion_map(evaluation: Evaluation) -> ConfusionMap:
    """Bring the classes into an order that shows which are taken for which."""
    counts = np.array(evaluation.confusion)
    order = similar_together(counts)
    counts = counts[order][:, order]
    names = [evaluation.class_names[label] for label in order]
    totals = counts.sum(axis=1)
    rows, columns = np.nonzero(counts)
    places = sorted(
        zip(rows.tolist(), columns.tolist(), strict=True),
        key=lambda place: (place[0] != place[1], -counts[place]),
    )
    cells = [
        Cell(row, column, names[row], names[column], int(counts[row, column]), share)
        for row, column in places[: len(names) + _MOST_CELLS]
        for share in [float(counts[row, column] / totals[row])]
    ]
    return ConfusionMap(names, cells, len(names) <= _MOST_NAMES)


def similar_together(confusion: np.ndarray) -> list[int]:
    """An order of the classes in which those that are taken for each other are neighbours.

    Args:
        confusion: photos by true class (rows) and predicted class (columns).

    Returns:
        Labels, by hierarchical clustering of how often two classes are taken for each other;
        as they are where none is, or there are very many.
    """
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    num_classes = len(confusion)
    totals = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shares = confusion / totals
    mutual = (shares + shares.T) / 2
    np.fill_diagonal(mutual, 0)
    if num_classes < 3 or num_classes > _MOST_ORDERED or not mutual.any():
        return list(range(num_classes))
    distances = 1 - mutual
    np.fill_diagonal(distances, 0)
    return hierarchy.leaves_list(hierarchy.linkage(squareform(distances), "average")).tolist()


@dataclass(frozen=True)
class ConfusedClasses:
    """The part of the confusion matrix with the most mistakes in it.

    Attributes:
        names: of these classes.
        counts: photos by true class (rows) and predicted class (columns).
        others: photos of each that were given yet another class.
        num_mistakes: in this part.
        num_all_mistakes: in the whole matrix.
    """

    names: Sequence[str]
    counts: Sequence[Sequence[int]]
    others: Sequence[int]
    num_mistakes: int
    num_all_mistakes: int


def most_confused_classes(evaluation: Evaluation) -> ConfusedClasses | None:
    """Classes with many mistakes between them; None where nothing is confused."""
    counts = np.array(evaluation.confusion)
    mistakes = counts - np.diag(np.diag(counts))
    chosen = _much_between(mistakes + mistakes.T)
    if not chosen:
        return None
    labels = [label for label in similar_together(counts) if label in chosen]
    part = counts[np.ix_(labels, labels)]
    return ConfusedClasses(
        [evaluation.class_names[label] for label in labels],
        part.tolist(),
        (counts[labels].sum(axis=1) - part.sum(axis=1)).tolist(),
        int(mistakes[np.ix_(labels, labels)].sum()),
        int(mistakes.sum()),
    )


def _much_between(mutual: np.ndarray) -> list[int]:
    """Some labels with much between them: from nothing on, whatever adds most a class.

    That is one class that is often confused with those chosen before, or a pair of others.

    Args:
        mutual: how often two classes are taken for each other; symmetric, 0 on the diagonal.
    """
    chosen: list[int] = []
    while (room := _MOST_CONFUSED - len(chosen)) > 0:
        gains, others = mutual[:, chosen].sum(axis=1), mutual.copy()
        gains[chosen] = others[chosen] = others[:, chosen] = 0
        single, pair = int(gains.argmax()), np.unravel_index(others.argmax(), others.shape)
        if room > 1 and others[pair] > 2 * gains[single]:
            chosen += map(int, pair)
        elif gains[single]:
            chosen.append(single)
        else:
            break
    return chosen
