import keras
import numpy as np
import pytest

from catsdogs.config import ModelConfig
from catsdogs.model.gradcam import channel_gradients, heat_map
from catsdogs.model.keras_config import network_of
from catsdogs.network.backbones.vgg16 import VGG16
from catsdogs.network.classifier import build_classifier, set_backbone_weights, split_at

LAST = "block5_conv3"


def build(pooling):
    """A classifier whose last convolution has 4 x 5 places: one column is outside the pooling."""
    config = ModelConfig(image_size=(64, 80), pooling=pooling, head_units=32)
    model = build_classifier(config, 3, keras.DTypePolicy("float32"), seed=1)
    set_backbone_weights(model, VGG16.load_weights("random"))
    return model


def make_activation():
    """A post-ReLU activation of one photo, with zeros, different in every place."""
    values = np.random.default_rng(2).normal(0, 2, (4, 5, 512)).astype(np.float32)
    return np.maximum(values, 0)


def channel_weights(model, activation, label):
    """What `explain_photos` weighs the channels with."""
    _, tail = split_at(model, LAST)
    pooled = np.asarray(tail.get_layer("block5_pool")(activation[None]))[0]
    return channel_gradients(network_of(model), pooled, label) / (4 * 5)


def backend_gradient(model, activation, label):
    """The logit's gradient with respect to the activation, by the backend's own derivative."""
    model.get_layer("probabilities").activation = keras.activations.linear
    _, tail = split_at(model, LAST)
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            x = tf.constant(activation[None])
            with tf.GradientTape() as tape:
                tape.watch(x)
                logit = tail(x)[0, label]
            return tape.gradient(logit, x).numpy()[0]
        case "jax":
            import jax

            return np.asarray(jax.grad(lambda x: tail(x)[0, label])(activation[None]))[0]
        case _:
            import torch

            x = torch.tensor(activation[None], requires_grad=True)
            tail(x)[0, label].backward()
            return x.grad.numpy()[0]


@pytest.mark.parametrize("pooling", ["average", "max", "flatten"])
@pytest.mark.parametrize("label", [0, 2])
def test_channel_weights_are_the_backends_mean_gradients(pooling, label):
    model, activation = build(pooling), make_activation()
    found = channel_weights(model, activation, label)
    expected = backend_gradient(model, activation, label).mean(axis=(0, 1))
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("pooling", ["average", "max", "flatten"])
def test_channel_weights_tell_how_the_logit_moves_when_a_channel_is_raised(pooling):
    model, activation = build(pooling), make_activation()
    weights = channel_weights(model, activation, 1)
    model.get_layer("probabilities").activation = keras.activations.linear
    _, tail = split_at(model, LAST)
    for channel in (0, 100, 511):
        step = np.zeros_like(activation)
        step[..., channel] = 1e-2
        both = np.stack([activation + step, activation - step])
        above, below = np.asarray(tail(both))[:, 1]
        assert (above - below) / 2e-2 / 20 == pytest.approx(weights[channel], rel=0.02, abs=1e-4)


def test_heads_of_one_and_of_three_dense_layers_are_followed_too():
    keras.utils.set_random_seed(0)  # a hidden unit at its bend has no gradient to compare with
    for units in ([], [7, 5]):
        maps = keras.Input((2, 3, 4))
        x = keras.layers.GlobalAveragePooling2D(name="pooling")(maps)
        for number in units:
            x = keras.layers.Dense(number, activation="relu")(x)
        x = keras.layers.Dense(3, activation="softmax", name="probabilities")(x)
        model = keras.Model(maps, x)
        photo = np.random.default_rng(0).normal(0, 2, (2, 3, 4)).astype(np.float32)
        found = channel_gradients(network_of(model), photo, 1)
        model.get_layer("probabilities").activation = keras.activations.linear
        for channel in range(4):
            step = np.zeros_like(photo)
            step[..., channel] = 1e-2
            above, below = np.asarray(model(np.stack([photo + step, photo - step])))[:, 1]
            assert (above - below) / 2e-2 == pytest.approx(found[channel], rel=0.02, abs=1e-4)


def test_heat_lies_where_the_channel_that_speaks_for_the_class_is_active():
    activation = np.zeros((3, 4, 2), np.float32)
    activation[0, 3, 0] = 2.0
    activation[1, 1, 0] = 1.0
    activation[2, 0, 1] = 9.0
    expected = np.zeros((3, 4))
    expected[0, 3], expected[1, 1] = 1.0, 0.5
    np.testing.assert_array_equal(heat_map(activation, np.array([0.3, -1.0])), expected)


def test_heat_is_zero_where_nothing_speaks_for_the_class():
    activation = np.ones((3, 4, 2), np.float32)
    np.testing.assert_array_equal(heat_map(activation, np.array([-0.3, 0.1])), np.zeros((3, 4)))
