"""Classes in an order that shows which are taken for which, and the worst part of the matrix."""

from pathlib import Path

import numpy as np

from catsdogs.evaluation.figures import evaluate_predictions
from catsdogs.reporting.confusion import (
    confusion_map,
    most_confused_classes,
    similar_together,
)


def evaluation_of(confusion):
    """An evaluation whose confusion matrix is this one."""
    names = [f"class {number}" for number in range(len(confusion))]
    labels, answers = [], []
    for label, row in enumerate(confusion):
        for answer, count in enumerate(row):
            labels += [label] * count
            answers += [answer] * count
    return evaluate_predictions(
        [Path("x")] * len(labels), labels, np.eye(len(confusion))[answers], names
    )


def with_mistakes(num_classes, mistakes):
    confusion = np.eye(num_classes, dtype=int) * 5
    for label, answer, count in mistakes:
        confusion[label, answer] += count
    return confusion


def test_classes_that_are_taken_for_each_other_become_neighbours():
    order = similar_together(with_mistakes(30, [(2, 27, 3), (27, 2, 3), (9, 18, 4)]))
    assert sorted(order) == list(range(30))
    assert abs(order.index(2) - order.index(27)) == 1
    assert abs(order.index(9) - order.index(18)) == 1


def test_without_a_mistake_the_order_stays():
    assert similar_together(with_mistakes(5, [])) == [0, 1, 2, 3, 4]


def test_map_has_every_number_of_the_matrix_at_its_place():
    confusion = with_mistakes(20, [(0, 19, 2), (3, 4, 1)])
    found = confusion_map(evaluation_of(confusion))
    shown = np.zeros((20, 20), int)
    for cell in found.cells:
        assert found.names[cell.row] == cell.label
        assert found.names[cell.column] == cell.class_name
        label, answer = (int(name.split()[1]) for name in (cell.label, cell.class_name))
        assert cell.share == confusion[label, answer] / confusion[label].sum()
        shown[label, answer] = cell.count
    np.testing.assert_array_equal(shown, confusion)
    assert found.has_names


def test_the_worst_part_holds_the_most_frequent_mistakes_and_says_how_many_of_all():
    mistakes = [(label, label + 1, 30 - label) for label in range(0, 24, 2)]  # 12 pairs
    found = most_confused_classes(evaluation_of(with_mistakes(30, [*mistakes, (0, 29, 1)])))
    assert sorted(found.names) == sorted(f"class {label}" for label in range(10))
    assert found.num_mistakes == 30 + 28 + 26 + 24 + 22
    assert found.num_all_mistakes == sum(count for _, _, count in mistakes) + 1
    place = list(found.names).index("class 0")
    assert found.others[place] == 1
    assert sum(found.counts[place]) == 35


def test_the_worst_part_prefers_classes_with_mistakes_between_them():
    ring = [(label, (label + 1) % 6, 2) for label in range(6)]
    pairs = [(label, label + 1, 2) for label in range(10, 40, 2)]
    found = most_confused_classes(evaluation_of(with_mistakes(50, [*pairs, *ring])))
    assert {f"class {label}" for label in range(6)} <= set(found.names)
    assert len(found.names) == 10
    assert found.num_mistakes == 6 * 2 + 2 * 2


def test_nothing_wrong_has_no_worst_part():
    assert most_confused_classes(evaluation_of(with_mistakes(20, []))) is None
