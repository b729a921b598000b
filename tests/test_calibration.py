"""The temperature: found where it is known, and without any effect on an answer."""

import numpy as np
import pytest

from catsdogs.evaluation.calibration import at_temperature, fit_temperature


def drawn(temperature, num_photos=20_000, num_classes=3):
    """Logits, and labels drawn from what they say at a temperature."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(num_photos, num_classes)) * 4
    noise = generator.gumbel(size=logits.shape)
    return logits.astype(np.float32), (logits / temperature + noise).argmax(axis=1)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_the_labels_were_drawn_at_is_found(temperature):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.06)


def test_logarithms_of_probabilities_give_the_temperature_of_the_logits():
    logits, labels = drawn(1.7, 500)
    from_probabilities = fit_temperature(np.log(softmax(logits)), labels)
    assert from_probabilities == pytest.approx(fit_temperature(logits, labels), rel=1e-4)


def test_few_photos_that_are_all_named_right_or_wrong_say_little():
    logits = np.array([[2.0, -2.0]] * 98)
    assert 0.9 < fit_temperature(logits, np.zeros(98, int)) < 1
    assert fit_temperature(logits, np.ones(98, int)) > 2


def test_a_photo_of_twice_the_weight_counts_as_two():
    logits, labels = drawn(1.7, 300)
    weights = np.ones(300)
    weights[:40] = 2
    twice = np.append(np.arange(300), np.arange(40))
    found = fit_temperature(logits, labels, weights)
    assert found == pytest.approx(fit_temperature(logits[twice], labels[twice]), rel=4e-2)


def test_probabilities_follow_their_logits_to_a_temperature_and_back():
    logits = np.random.default_rng(0).normal(size=(20, 5)) * 3
    cooled = at_temperature(softmax(logits), 0.6)
    np.testing.assert_allclose(cooled, softmax(logits / 0.6), rtol=1e-10)
    np.testing.assert_allclose(at_temperature(cooled, 1 / 0.6), softmax(logits), rtol=1e-8)
    assert (cooled.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_a_probability_of_zero_stays_a_number():
    np.testing.assert_allclose(at_temperature(np.float32([[1, 0]]), 2.0), [[1, 0]], atol=1e-10)
