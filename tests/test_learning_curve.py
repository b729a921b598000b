"""The learning curve: growing shares, honest answers, and a law that finds itself again."""

import numpy as np
import pytest

from catsdogs.evaluation.score import wilson_interval
from catsdogs.training.learning_curve import CurvePoint, fit_power_law, learning_curve
from catsdogs.training.photo_features import Photos


def photos(features, labels):
    units = [bytes([index]) for index in range(len(labels))]
    names = tuple(map(str, range(int(labels.max()) + 1)))
    return Photos(features, labels, units, names, np.ones(len(labels)))


def test_more_photos_are_better_and_every_point_answers_for_all():
    generator = np.random.default_rng(0)
    labels = np.arange(240) % 3
    centres = generator.normal(size=(3, 30)) * 0.7
    features = centres[labels] + generator.normal(size=(240, 30))
    fitted = []
    points = learning_curve(photos(features, labels), 4, on_fitted=fitted.append)
    assert [p.num_training for p in points] == [12, 23, 45, 90, 180]
    assert {p.num_photos for p in points} == {240}
    assert points[-1].accuracy > points[0].accuracy
    assert points[0].interval == wilson_interval(points[0].num_correct, 240)
    assert sum(fitted) == 20


def test_shares_without_two_photos_a_class_are_left_out():
    labels = np.arange(20) % 2
    points = learning_curve(photos(np.eye(20)[:, :5], labels), 5)
    assert [p.num_training for p in points] == [4, 8, 16]


def test_a_power_law_is_found_again_and_goes_on():
    numbers = [100, 200, 400, 800, 1600]
    points = [CurvePoint(n, round(1e6 * (1 - 2 * n**-0.5)), 10**6) for n in numbers]
    law = fit_power_law(points)
    assert law.slope == pytest.approx(-0.5, abs=0.01)
    assert law.accuracy(3200) == pytest.approx(1 - 2 * 3200**-0.5, abs=1e-3)
    low, high = law.interval(3200)
    assert low < law.accuracy(3200) < high
    wide = fit_power_law([CurvePoint(n, round(100 * (1 - 2 * n**-0.5)), 100) for n in numbers])
    assert wide.interval(3200)[1] - wide.interval(3200)[0] > high - low


def test_accuracy_that_falls_is_taken_for_one_that_stands():
    law = fit_power_law([CurvePoint(n, c, 100) for n, c in ((10, 95), (20, 93), (40, 92))])
    assert law.slope == 0
    assert law.accuracy(80) == pytest.approx(0.93, abs=0.01)


def test_perfect_answers_and_few_points():
    assert fit_power_law([CurvePoint(10, 5, 9), CurvePoint(20, 6, 9)]) is None
    law = fit_power_law([CurvePoint(n, 50, 50) for n in (10, 20, 40)])
    assert 0.98 < law.accuracy(80) <= 1
