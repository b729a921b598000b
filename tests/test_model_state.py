import keras
import numpy as np
import pytest

from catsdogs.training.model_state import ModelState, StateError

POINTS = np.random.default_rng(0).normal(5, 3, (16, 4)).astype(np.float32)
LABELS = np.arange(16) % 2


def build(units=3):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(units, name="frozen", trainable=False),
            keras.layers.Dense(units),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5, seed=3),
            keras.layers.Dense(2),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_all_that_training_changes_is_kept_and_restored():
    model = build()
    model.fit(POINTS, LABELS, verbose=0)
    state = ModelState.of(model)
    assert len(state.weights) == 2 + 4 + 2
    model.fit(POINTS, LABELS, verbose=0)
    after = model.predict(POINTS, verbose=0)

    other = build()
    state.restore(other)
    other.fit(POINTS, LABELS, verbose=0)
    np.testing.assert_allclose(other.predict(POINTS, verbose=0), after, rtol=1e-6)


def test_statistics_of_batches_come_back():
    model = build()
    model.fit(POINTS, LABELS, verbose=0)
    state = ModelState.of(model)
    kept = model.predict(POINTS, verbose=0)
    model.layers[2].moving_mean.assign([9, 9, 9])
    state.restore(model)
    np.testing.assert_array_equal(model.predict(POINTS, verbose=0), kept)


def test_state_of_another_network_is_refused():
    with pytest.raises(StateError, match="another network"):
        ModelState.of(build()).restore(build(units=4))
