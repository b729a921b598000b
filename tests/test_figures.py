from pathlib import Path

import numpy as np
import pytest

from catsdogs.evaluation.figures import (
    ClassFigures,
    Mistake,
    ReliabilityBin,
    evaluate_predictions,
)
from catsdogs.evaluation.score import wilson_interval

# Worked by hand: cats 0.9 right, 0.6 right, 0.2 wrong; dogs 0.7 right, 0.3 wrong.
PATHS = [Path(name) for name in ("a.png", "b.png", "c.png", "d.png", "e.png")]
LABELS = [0, 0, 0, 1, 1]
PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7], [0.7, 0.3]])


def evaluate(labels=LABELS, probabilities=PROBABILITIES, class_names=("cats", "dogs")):
    return evaluate_predictions(PATHS[: len(labels)], labels, probabilities, class_names)


def test_figures_are_those_worked_by_hand():
    found = evaluate()
    assert (found.num_photos, found.num_correct, found.accuracy) == (5, 3, 0.6)
    assert found.interval == wilson_interval(3, 5)
    assert found.loss == pytest.approx(-np.log([0.9, 0.6, 0.2, 0.7, 0.3]).mean(), abs=1e-12)
    assert found.confusion == ((2, 1), (1, 1))
    assert found.roc_auc == pytest.approx(3 / 6)  # pairs of a dog above a cat
    assert found.classes == (
        ClassFigures("cats", *map(pytest.approx, (2 / 3, 2 / 3, 2 / 3)), 3),
        ClassFigures("dogs", *map(pytest.approx, (1 / 2, 1 / 2, 1 / 2)), 2),
    )
    assert found.mistakes == (
        Mistake(Path("c.png"), "cats", "dogs", 0.8),
        Mistake(Path("e.png"), "dogs", "cats", 0.7),
    )


def test_balanced_figures_are_means_over_the_classes_that_have_photos():
    probabilities = np.array([[0.9, 0.1, 0]] * 4 + [[0.8, 0.2, 0]])
    found = evaluate([0, 0, 0, 0, 1], probabilities, ("ants", "bees", "wasps"))
    assert (found.accuracy, found.balanced_accuracy) == (0.8, 0.5)
    assert found.macro_f1 == pytest.approx((8 / 9 + 0) / 2)
    assert found.class_counts == {"ants": 4, "bees": 1, "wasps": 0}


def test_calibration_error_is_the_weighted_distance_of_confidence_and_accuracy():
    found = evaluate()
    bins = [(b.num_photos, b.confidence, b.accuracy) for b in found.bins]
    assert bins == [  # 0.6 | 0.7 0.7 | 0.8 | 0.9: bins of 1/15, closed above
        (1, 0.6, 1.0),
        (2, 0.7, 0.5),
        (1, 0.8, 0.0),
        (1, 0.9, 1.0),
    ]
    assert found.bins[1] == ReliabilityBin(10 / 15, 11 / 15, 2, 0.7, 0.5)
    assert found.calibration_error == pytest.approx((0.4 + 2 * 0.2 + 0.8 + 0.1) / 5)


def test_a_sure_classifier_has_all_photos_in_the_last_bin():
    found = evaluate([0, 1], np.eye(2))
    assert found.bins == (ReliabilityBin(14 / 15, 1.0, 2, 1.0, 1.0),)
    assert found.calibration_error == 0
    assert found.mistakes == ()


def test_impossible_truth_costs_36_nats_and_not_infinity():
    assert evaluate([1], np.array([[1.0, 0.0]])).loss == pytest.approx(-np.log(2.0**-52))


def test_float32_probabilities_are_taken_as_they_are():
    probabilities = np.random.default_rng(0).dirichlet((1, 1), 5).astype(np.float32)
    expected = -np.log(probabilities.astype(np.float64)[np.arange(5), LABELS]).mean()
    assert evaluate(probabilities=probabilities).loss == pytest.approx(expected, abs=1e-12)


def test_equal_probabilities_give_the_first_class():
    assert evaluate([0, 1], np.full((2, 2), 0.5)).confusion == ((1, 0), (1, 0))


def test_mistakes_of_equal_probability_are_in_the_order_of_their_paths():
    found = evaluate_predictions(
        [Path("b"), Path("a")], [1, 1], np.array([[0.75, 0.25]] * 2), ("cats", "dogs")
    )
    assert [mistake.path for mistake in found.mistakes] == [Path("a"), Path("b")]


def test_what_is_not_defined_is_none():
    found = evaluate([0, 0], np.array([[0.9, 0.1], [0.8, 0.2]]))
    assert found.roc_auc is None
    assert found.classes == (
        ClassFigures("cats", 1.0, 1.0, 1.0, 2),
        ClassFigures("dogs", None, None, None, 0),
    )


def test_beyond_two_classes_the_area_is_the_mean_of_each_against_the_rest():
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, 60)
    probabilities = generator.dirichlet((1, 1, 1), 60)
    paths = [Path(f"{index}.png") for index in range(60)]
    found = evaluate_predictions(paths, labels, probabilities, ("ants", "bees", "wasps"))
    expected = sklearn_metrics.roc_auc_score(labels, probabilities, multi_class="ovr")
    assert found.roc_auc == pytest.approx(expected, abs=1e-12)


def test_a_class_without_photos_does_not_count_in_the_area():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    assert evaluate([0, 1], probabilities, ("ants", "bees", "wasps")).roc_auc == 1.0
