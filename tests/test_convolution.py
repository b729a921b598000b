import keras
import numpy as np
import pytest

from catsdogs.network.convolution import FastGradientConv2D, convolution_class


def train_one_step(layer_class, dtype, **settings):
    """Weights before and after a step of plain gradient descent on two stacked convolutions."""
    keras.utils.set_random_seed(0)
    policy = keras.DTypePolicy(dtype)
    model = keras.Sequential(
        [
            keras.Input((7, 9, 5)),
            layer_class(6, padding="same", activation="relu", dtype=policy, **settings),
            layer_class(4, padding="same", dtype=policy, **settings),
        ]
    )
    before = model.get_weights()
    generator = np.random.default_rng(0)
    images = generator.normal(size=(3, 7, 9, 5)).astype(np.float32)
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.train_on_batch(images, generator.normal(size=model(images).shape))
    return before, model.get_weights()


@pytest.mark.parametrize("settings", [{"kernel_size": 3}, {"kernel_size": 3, "strides": 1}])
def test_a_step_changes_the_weights_as_keras_own_layer_does(settings):
    start, fast = train_one_step(FastGradientConv2D, "float32", **settings)
    _, plain = train_one_step(keras.layers.Conv2D, "float32", **settings)
    for before, one, other in zip(start, fast, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
        assert not np.array_equal(before, one)


def test_in_bfloat16_the_steps_agree_to_its_rounding():
    """A gradient is a sum over 3 x 7 x 9 places.

    Where the processor has no wider sum for bfloat16, each of them is rounded to 8 bits, and
    errors of 2^-8 that are independent grow with the root of their number.
    """
    start, fast = train_one_step(FastGradientConv2D, "mixed_bfloat16", kernel_size=3)
    _, plain = train_one_step(keras.layers.Conv2D, "mixed_bfloat16", kernel_size=3)
    for before, one, other in zip(start, fast, plain, strict=True):
        error = np.linalg.norm(one - other) / np.linalg.norm(other - before)
        assert error < 2**-8 * np.sqrt(3 * 7 * 9)
        assert not np.array_equal(before, one)


@pytest.mark.parametrize("settings", [{"kernel_size": 1}, {"kernel_size": 5}])
def test_other_kernels_are_left_to_keras(settings):
    _, fast = train_one_step(FastGradientConv2D, "float32", **settings)
    _, plain = train_one_step(keras.layers.Conv2D, "float32", **settings)
    for one, other in zip(fast, plain, strict=True):
        np.testing.assert_array_equal(one, other)


def test_float32_is_left_to_keras():
    assert convolution_class(keras.DTypePolicy("float32")) is keras.layers.Conv2D
