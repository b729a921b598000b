"""The solved head: the optimum, whatever the order, the scale and the number of features."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from catsdogs.evaluation.log_loss import log_losses
from catsdogs.training.class_weights import balanced_weights
from catsdogs.training.heads.logistic import STRENGTHS, feature_spreads, fit_logistic


def photos(num_photos, num_features, num_classes, seed=0, separation=0.4):
    """Features `(n, features)` whose classes overlap, far from zero mean and unit spread."""
    generator = np.random.default_rng(seed)
    labels = np.arange(num_photos) % num_classes
    centres = generator.normal(size=(num_classes, num_features)) * separation
    features = centres[labels] + generator.normal(size=(num_photos, num_features))
    return (features * generator.uniform(0.1, 9, num_features) + 5).astype(np.float32), labels


def log_probabilities(head, features):
    logits = head.logits(features).astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize(("num_photos", "num_features"), [(150, 20), (40, 80)])
@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("balanced", [False, True])
def test_the_optimum_is_that_of_scikit_learn(num_photos, num_features, num_classes, balanced):
    features, labels = photos(num_photos, num_features, num_classes)
    kept = (labels != 0) | (np.arange(num_photos) % 4 == 0)  # a class of fewer photos
    features, labels = features[kept], labels[kept]
    head = fit_logistic(features, labels, num_classes, balanced=balanced)
    standard = (features - features.mean(axis=0, dtype=np.float64)) / feature_spreads(features)
    # it has one column for two classes, whose penalty is twice that of our two
    reference = LogisticRegression(
        C=head.strength * (2 if num_classes == 2 else 1),
        class_weight="balanced" if balanced else None,
        tol=1e-9,
        max_iter=10_000,
    ).fit(standard, labels)
    np.testing.assert_allclose(
        log_probabilities(head, features),
        reference.predict_log_proba(standard),
        rtol=1e-3,
        atol=1e-4,
    )


def test_the_strength_is_one_of_the_grid_and_noise_asks_for_a_strong_one():
    features, labels = photos(100, 30, 2, separation=2.0)
    clear = fit_logistic(features, labels, 2)
    noise = fit_logistic(features, np.random.default_rng(0).permutation(labels), 2)
    assert {clear.strength, noise.strength} <= set(STRENGTHS)
    assert noise.strength < clear.strength


def test_scale_and_shift_of_the_features_change_no_answer():
    features, labels = photos(60, 10, 2)
    head, scaled = fit_logistic(features, labels, 2), fit_logistic(features * 50 - 7, labels, 2)
    np.testing.assert_allclose(
        log_probabilities(head, features), log_probabilities(scaled, features * 50 - 7), atol=1e-3
    )


def test_spreads_are_drawn_together_where_photos_are_few():
    few = np.zeros((10, 4))
    few[0] = [1e-3, 1, 1, 1]
    assert feature_spreads(few)[0] > 100 * few[:, 0].std()
    many = np.random.default_rng(0).normal(size=(5000, 3)) * [1, 2, 3]
    np.testing.assert_allclose(feature_spreads(many), many.std(axis=0), rtol=0.01)


def test_a_feature_that_never_changes_is_no_trouble():
    features, labels = photos(40, 6, 2)
    features[:, 3] = 7.25
    head = fit_logistic(features, labels, 2)
    assert np.isfinite(head.kernel).all()
    np.testing.assert_allclose(head.kernel[3], 0, atol=1e-7)


def test_one_photo_a_class_is_answered_for():
    features = np.array([[0.0, 1.0], [1.0, 0.0]], np.float16)
    head = fit_logistic(features, np.array([0, 1]), 2)
    assert head.logits(features).argmax(axis=1).tolist() == [0, 1]


def few_of_each(counts, seed=0):
    """So many photos of each class, one direction a class, and 20 others of each to answer for."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(0, 1, (len(counts), 200))
    labels = np.repeat(np.arange(len(counts)), counts)
    others = np.repeat(np.arange(len(counts)), 20)
    return (
        centres[labels] + generator.normal(0, 2, (len(labels), 200)),
        labels,
        centres[others] + generator.normal(0, 2, (len(others), 200)),
        others,
    )


@pytest.mark.parametrize("counts", [[1] * 12, [2] * 12, [1, 3] * 6, [1] * 8 + [5] * 4])
def test_few_photos_a_class_do_not_ask_for_a_head_that_does_not_look_at_them(counts):
    features, labels, other_features, others = few_of_each(counts)
    head = fit_logistic(features, labels, len(counts))
    assert head.strength >= 0.01
    assert (head.logits(other_features).argmax(axis=1) == others).mean() > 0.3


def test_copies_do_not_choose_a_weaker_strength():
    features, labels = photos(40, 60, 2, separation=0.15)
    once = fit_logistic(features, labels, 2, groups=range(40))
    twice = np.repeat(features, 2, axis=0), np.repeat(labels, 2)
    together = fit_logistic(*twice, 2, groups=np.repeat(np.arange(40), 2).tolist())
    # copies count twice in the loss, so that half the C is the same head
    assert together.strength <= once.strength
    # a copy on the other side of a fold answers for its twin: the weakest one would win
    assert fit_logistic(*twice, 2).strength > together.strength


def test_balanced_classes_weigh_the_same():
    weights = balanced_weights(np.array([0, 0, 0, 1]), 3)
    np.testing.assert_allclose(weights, [4 / 6, 2.0, 0.0])
    features, labels = photos(200, 5, 2, separation=0.2)
    rare = (labels == 0) | (np.arange(200) < 20)
    features, labels = features[rare], labels[rare]
    plain, even = (fit_logistic(features, labels, 2, balanced=b) for b in (False, True))
    recall = [(h.logits(features).argmax(axis=1)[labels == 1] == 1).mean() for h in (plain, even)]
    assert recall[0] < 0.3 < recall[1]


def test_log_losses_hold_for_logits_of_any_size():
    logits = np.array([[1e4, 0.0], [0.0, 1e4], [0.0, 0.0]])
    np.testing.assert_allclose(log_losses(logits, np.array([0, 0, 1])), [0, 1e4, np.log(2)])
