"""The pretrained convolutional networks a classifier can stand on, by name."""

from dataclasses import dataclass

from catsdogs.errors import ConfigError


@dataclass(frozen=True)
class Block:
    """Some 3 x 3 convolutions with ReLU, then a 2 x 2 max pooling.

    Attributes:
        name: `block5`; its layers are `block5_conv1` …, `block5_pool`.
        num_convolutions: how many.
        num_filters: channels of each.
    """

    name: str
    num_convolutions: int
    num_filters: int

    @property
    def output_name(self) -> str:
        """Name of the layer whose output is the block's."""
        return f"{self.name}_pool"


@dataclass(frozen=True)
class Backbone:
    """A network without its top.

    Attributes:
        name: as in the configuration.
        blocks: from the photo upwards.
        mean_rgb: subtracted from pixel values 0 to 255, in RGB order.
        minimum_size: least height and width in pixels that leaves a pixel at the top.
    """

    name: str
    blocks: tuple[Block, ...]
    mean_rgb: tuple[float, float, float]
    minimum_size: int

    @property
    def num_convolutions(self) -> int:
        """Convolutions in all blocks."""
        return sum(block.num_convolutions for block in self.blocks)

    def block(self, name: str) -> Block:
        """Find a block by its name.

        Raises:
            ConfigError: there is none; the message lists them.
        """
        for block in self.blocks:
            if block.name == name:
                return block
        raise ConfigError(
            f"finetune.block should be one of {', '.join(b.name for b in self.blocks)}, "
            f"got {name!r}"
        )

    def below(self, name: str) -> str | None:
        """Name of the layer that feeds a block; None for the lowest block."""
        index = self.blocks.index(self.block(name))
        return self.blocks[index - 1].output_name if index else None


VGG16 = Backbone(
    name="vgg16",
    # Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
    # Recognition", 2014, table 1, column D.
    blocks=(
        Block("block1", 2, 64),
        Block("block2", 2, 128),
        Block("block3", 3, 256),
        Block("block4", 3, 512),
        Block("block5", 3, 512),
    ),
    # The means of the Caffe release that Keras' weights come from
    # (keras.applications.imagenet_utils, mode "caffe").
    mean_rgb=(123.68, 116.779, 103.939),
    minimum_size=32,
)

_BACKBONES = {backbone.name: backbone for backbone in (VGG16,)}


def get_backbone(name: str) -> Backbone:
    """Find a backbone by the name in `model.backbone`.

    Raises:
        ConfigError: there is none; the message lists them.
    """
    if name not in _BACKBONES:
        raise ConfigError(
            f"model.backbone should be one of {', '.join(sorted(_BACKBONES))}, got {name!r}"
        )
    return _BACKBONES[name]
