import keras
import pytest

from catsdogs.errors import ConfigError
from catsdogs.network.backbones import finetune_boundary, get_backbone
from catsdogs.network.backbones.vgg16 import VGG16


def test_vgg16_has_the_layers_of_the_paper():
    assert [(b.name, b.num_convolutions, b.num_filters) for b in VGG16.blocks] == [
        ("block1", 2, 64),
        ("block2", 2, 128),
        ("block3", 3, 256),
        ("block4", 3, 512),
        ("block5", 3, 512),
    ]
    assert len(VGG16.kernel_shapes) == 13


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
    assert str(backbone.value) == "model.backbone should be one of vgg16, got 'resnet'"


def test_multiply_adds_are_those_of_the_paper_and_of_keras_own_count():
    assert VGG16.macs((224, 224)) == 15_346_630_656
    theirs = keras.applications.VGG16(include_top=False, weights=None, input_shape=(64, 96, 3))
    counted = sum(
        layer.output.shape[1] * layer.output.shape[2] * (layer.count_params() - layer.filters)
        for layer in theirs.layers
        if isinstance(layer, keras.layers.Conv2D)
    )
    assert VGG16.macs((64, 96)) == counted
