import pytest

from catsdogs.errors import ConfigError
from catsdogs.network.backbones import VGG16, get_backbone


def test_vgg16_has_the_layers_of_the_paper():
    assert [(b.name, b.num_convolutions, b.num_filters) for b in VGG16.blocks] == [
        ("block1", 2, 64),
        ("block2", 2, 128),
        ("block3", 3, 256),
        ("block4", 3, 512),
        ("block5", 3, 512),
    ]
    assert VGG16.num_convolutions == 13


def test_below_names_the_layer_that_feeds_a_block():
    assert VGG16.below("block5") == "block4_pool"
    assert VGG16.below("block1") is None


def test_unknown_block_and_backbone_list_the_known_ones():
    with pytest.raises(ConfigError) as block:
        VGG16.below("block6")
    assert str(block.value) == (
        "finetune.block should be one of block1, block2, block3, block4, block5, got 'block6'"
    )
    with pytest.raises(ConfigError) as backbone:
        get_backbone("resnet")
    assert str(backbone.value) == "model.backbone should be one of vgg16, got 'resnet'"
