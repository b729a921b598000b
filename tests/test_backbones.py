import keras
import numpy as np
import pytest

from catsdogs.config import Config, ModelConfig
from catsdogs.errors import ConfigError
from catsdogs.model.model_file import save_model
from catsdogs.network.backbones import backbone_names, finetune_boundary, get_backbone
from catsdogs.network.backbones.vgg16 import VGG16
from catsdogs.network.classifier import build_classifier, set_backbone_weights, split_at
from tests.conftest import describe

FLOAT32 = keras.DTypePolicy("float32")


def test_vgg16_has_the_layers_of_the_paper():
    filters = [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    channels = [3, *filters[:-1]]
    expected = [(3, 3, *pair) for pair in zip(channels, filters, strict=True)]
    assert list(VGG16.kernel_shapes.values()) == expected
    assert list(VGG16.cut_points) == ["block1", "block2", "block3", "block4", "block5"]


def test_boundary_is_the_layer_that_feeds_a_block():
    assert finetune_boundary(VGG16, "block5") == "block4_pool"
    assert finetune_boundary(VGG16, "block1") == "preprocess"


def test_unknown_block_and_backbone_list_the_known_ones():
    with pytest.raises(ConfigError) as block:
        finetune_boundary(VGG16, "block6")
    assert str(block.value) == (
        "finetune.block should be one of block1, block2, block3, block4, block5, got 'block6'"
    )
    with pytest.raises(ConfigError) as backbone:
        get_backbone("resnet")
    assert str(backbone.value) == (
        f"model.backbone should be one of {', '.join(backbone_names())}, got 'resnet'"
    )


def test_multiply_adds_are_those_of_the_paper_and_of_keras_own_count():
    assert VGG16.macs((224, 224)) == 15_346_630_656
    theirs = keras.applications.VGG16(include_top=False, weights=None, input_shape=(64, 96, 3))
    counted = sum(
        layer.output.shape[1] * layer.output.shape[2] * (layer.count_params() - layer.filters)
        for layer in theirs.layers
        if isinstance(layer, keras.layers.Conv2D)
    )
    assert VGG16.macs((64, 96)) == counted


@pytest.fixture(scope="module")
def built():
    """A classifier on each backbone, 32 px, with random weights; built when first asked for."""
    models = {}

    def get(name):
        if name not in models:
            backbone = get_backbone(name)
            size = (backbone.minimum_size, backbone.minimum_size)
            config = Config(model=ModelConfig(backbone=name, weights="random", image_size=size))
            model = build_classifier(config.model, 3, FLOAT32, seed=1)
            weights = backbone.load_weights("random")
            set_backbone_weights(model, weights)
            models[name] = config, model, list(weights.layers)
        return models[name]

    return get


def photos_for(model):
    shape = (2, *model.input_shape[1:])
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def answers(model, inputs):
    """As `predict` gives them, without the seconds in which it compiles a graph for two photos."""
    return keras.ops.convert_to_numpy(model(inputs, training=False))


@pytest.mark.slow
@pytest.mark.parametrize("name", backbone_names())
def test_file_of_every_backbone_opens_in_plain_keras_and_gives_the_same(name, built, tmp_path):
    config, model, _ = built(name)
    path = tmp_path / "model.h5"
    save_model(path, model, describe(config, ("a", "b", "c"), backbone=name))
    opened = keras.saving.load_model(path, compile=False)
    modules = {type(layer).__module__.split(".")[0] for layer in opened.layers}
    assert modules == {"keras"}
    photos = photos_for(model)
    expected = answers(model, photos)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_array_equal(answers(opened, photos.astype(np.float32)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", backbone_names())
def test_every_backbone_can_be_cut_wherever_it_says(name, built):
    _, model, _ = built(name)
    photos = photos_for(model)
    expected = answers(model, photos)
    cut_points = get_backbone(name).cut_points
    lowest, *_, highest = cut_points.values()
    for boundary in (lowest, highest):
        trunk, tail = split_at(model, boundary)
        halves = answers(tail, answers(trunk, photos))
        np.testing.assert_allclose(halves, expected, rtol=1e-4, atol=1e-5)
    for boundary in cut_points.values():
        _, tail = split_at(model, boundary)
        assert tail.count_params() > 0
    assert len(model.get_layer(get_backbone(name).explained_layer).output.shape) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", backbone_names())
def test_parameters_and_layers_with_weights_are_those_of_the_keras_model(name, built):
    _, model, layers_with_weights = built(name)
    backbone = get_backbone(name)
    trunk, _ = split_at(model, "pooling")
    assert trunk.count_params() == backbone.num_parameters
    with_weights = [layer.name for layer in trunk.layers if layer.weights]
    assert layers_with_weights == with_weights
