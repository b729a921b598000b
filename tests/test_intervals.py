"""The intervals of figures that are no shares, held against other ways to them."""

import numpy as np
import pytest
from scipy import stats

from catsdogs.evaluation.intervals import auc_interval, loss_interval


def answers(count, num_classes=2, seed=0):
    """Labels `(n,)` and probabilities `(n, classes)` that are right more often than not."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % num_classes
    scores = generator.normal(size=(count, num_classes))
    scores[np.arange(count), labels] += 1
    exponentials = np.exp(scores)
    return labels, exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("count", "num_classes"), [(2, 2), (9, 2), (300, 5)])
def test_the_interval_of_the_log_loss_is_that_of_a_mean(count, num_classes):
    labels, probabilities = answers(count, num_classes)
    losses = [-np.log(row[label]) for row, label in zip(probabilities, labels, strict=True)]
    low, high = stats.norm.interval(0.95, loc=np.mean(losses), scale=stats.sem(losses))
    assert loss_interval(labels, probabilities) == pytest.approx((max(0, low), high), rel=1e-5)


def test_no_log_loss_is_below_0_or_infinite():
    labels = np.array([0, 0, 0, 1])
    low, high = loss_interval(labels, np.array([[1.0, 0.0]] * 4))
    assert low == 0
    assert 9 < high < 40  # a mean of 36 / 4, as if the probability were that of a rounding error


def test_one_photo_has_no_interval_of_the_log_loss():
    assert loss_interval(np.array([0]), np.array([[0.9, 0.1]])) is None


def test_the_interval_of_the_auc_is_as_wide_as_delongs():
    labels, probabilities = answers(400)
    scores = probabilities[:, 1]
    above = (scores[labels == 1][:, None] > scores[labels == 0]).astype(float)  # (dogs, cats)
    of_dogs, of_cats = above.mean(axis=1), above.mean(axis=0)
    deviation = np.sqrt(of_dogs.var(ddof=1) / 200 + of_cats.var(ddof=1) / 200)
    low, high = auc_interval(labels, probabilities)
    assert low < above.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.1)
    assert auc_interval(labels, probabilities) == (low, high)


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [
        ([0, 1, 2, 0, 1, 2], np.full((6, 3), 1 / 3)),
        ([0, 1, 1, 1], np.array([[0.6, 0.4], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])),
        ([0, 0, 1, 1], np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])),
    ],
    ids=["three classes", "one photo of a class", "told apart without a fault"],
)
def test_where_redrawing_says_nothing_there_is_no_interval_of_the_auc(labels, probabilities):
    assert auc_interval(np.array(labels), probabilities) is None
