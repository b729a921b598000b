import keras
import numpy as np
import pytest

from catsdogs.config import ModelConfig
from catsdogs.errors import ConfigError
from catsdogs.network.backbones.vgg16 import VGG16
from catsdogs.network.classifier import (
    backbone_policy,
    build_classifier,
    build_twin,
    freeze_below,
    set_backbone_weights,
    split_at,
)

FLOAT32 = keras.DTypePolicy("float32")
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3)).astype(np.uint8)


def build(num_classes=3, policy=FLOAT32, **settings):
    model = build_classifier(
        ModelConfig(image_size=(32, 48), **settings), num_classes, policy, seed=5
    )
    set_backbone_weights(model, VGG16.load_weights("random"))
    return model


@pytest.mark.parametrize(
    ("pooling", "num_features"), [("average", 512), ("max", 512), ("flatten", 512)]
)
def test_every_pooling_gives_probabilities_of_any_number_of_classes(pooling, num_features):
    model = build(num_classes=20, pooling=pooling)
    probabilities = model.predict(IMAGES, verbose=0)
    assert probabilities.shape == (2, 20)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert split_at(model, "pooling")[0].output.shape == (None, num_features)


def test_flatten_keeps_every_place():
    model = build_classifier(ModelConfig(image_size=(64, 96), pooling="flatten"), 2, FLOAT32)
    assert model.get_layer("pooling").output.shape == (None, 2 * 3 * 512)


@pytest.mark.parametrize("boundary", ["preprocess", "block4_pool", "pooling"])
def test_trunk_and_tail_together_are_the_classifier(boundary):
    model = build()
    trunk, tail = split_at(model, boundary)
    halves = tail.predict(trunk.predict(IMAGES, verbose=0), verbose=0)
    np.testing.assert_allclose(halves, model.predict(IMAGES, verbose=0), atol=1e-6)


def test_training_the_tail_trains_the_classifier():
    model = build()
    freeze_below(model, "pooling")
    trunk, tail = split_at(model, "pooling")
    tail.get_layer("probabilities").kernel.assign(np.zeros((256, 3)))
    tail.get_layer("probabilities").bias.assign(np.log([0.7, 0.2, 0.1]))
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), [[0.7, 0.2, 0.1]] * 2, atol=1e-6)
    assert not trunk.trainable_variables


def test_freeze_below_leaves_only_what_is_above_trainable():
    model = build()
    freeze_below(model, "block4_pool")
    trained = {layer.name for layer in model.layers if layer.trainable_variables}
    assert trained == {"block5_conv1", "block5_conv2", "block5_conv3", "dense", "probabilities"}


def test_variables_and_probabilities_are_float32_whatever_the_convolutions_compute_in():
    model = build(policy=keras.DTypePolicy("mixed_bfloat16"))
    assert {variable.dtype for variable in model.weights} == {"float32"}
    assert model.get_layer("block1_conv1").compute_dtype == "bfloat16"
    assert model.predict(IMAGES, verbose=0).dtype == np.float32
    # Features, because a head that was never trained is sure of its errors. Each of 13 layers
    # rounds kernels, inputs and outputs to 8 bits; how it adds up differs among processors.
    coarse, fine = (
        split_at(one, "pooling")[0].predict(IMAGES, verbose=0) for one in (model, build())
    )
    assert np.linalg.norm(coarse - fine) < 13 * 2**-8 * np.linalg.norm(fine)


def test_the_seed_decides_the_head():
    config = ModelConfig(image_size=(32, 32))
    one, same, other = (
        build_classifier(config, 2, FLOAT32, seed).get_layer("dense").get_weights()[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_too_small_an_image_is_refused():
    with pytest.raises(ConfigError) as error:
        build_classifier(ModelConfig(image_size=(16, 64)), 2, FLOAT32)
    assert str(error.value) == (
        "model.image_size should be at least 32 x 32 for vgg16, got 16 x 64"
    )


def test_a_twin_gives_the_same_and_shares_nothing():
    model = build(policy=keras.DTypePolicy("mixed_bfloat16"))
    twin = build_twin(model, ModelConfig(image_size=(32, 48)))
    assert backbone_policy(twin).name == "mixed_bfloat16"
    assert twin.get_layer("dropout").seed == 5
    expected = model.predict(IMAGES, verbose=0)
    np.testing.assert_array_equal(twin.predict(IMAGES, verbose=0), expected)
    twin.get_layer("probabilities").bias.assign([9, 0, 0])
    np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), expected)


def test_batch_normalisation_stays_in_inference_mode_while_the_layers_around_it_are_trained():
    images = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(2, 3, name="below")(images)
    x = keras.layers.Conv2D(2, 1, name="above")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    model = keras.Model(images, keras.layers.Flatten()(x))
    freeze_below(model, "below")
    before = [weight.copy() for weight in model.get_layer("norm").get_weights()]
    model.compile(keras.optimizers.SGD(0.1), loss="mean_squared_error")
    photos = np.random.default_rng(0).normal(5, 3, (8, 4, 4, 3)).astype(np.float32)
    model.fit(photos, np.zeros((8, 8)), verbose=0)
    for one, other in zip(before, model.get_layer("norm").get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    trained = {layer.name for layer in model.layers if layer.trainable_variables}
    assert trained == {"above"}
