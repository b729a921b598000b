"""The pretrained networks that a classifier can stand on, by name: one file each."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from catsdogs.errors import ConfigError
from catsdogs.network.backbones.efficientnet_lite import (
    EFFICIENTNET_LITE0,
    EFFICIENTNET_LITE1,
    EFFICIENTNET_LITE2,
)
from catsdogs.network.backbones.keras_applications import KERAS_BACKBONES
from catsdogs.network.backbones.mobilenet_v2 import MOBILENET_V2
from catsdogs.network.backbones.vgg16 import VGG16
from catsdogs.network.weights import Weights

if TYPE_CHECKING:  # what a network is can be asked without waiting for Keras
    import keras


class Backbone(Protocol):
    """A network without its top, and all that is particular to it.

    Attributes:
        name: as in the configuration.
        cut_points: blocks that can be fine-tuned, from the photo upwards, each with the name
            of the layer that feeds it: all layers above that one can be trained while it and
            all below stay frozen.
        finetuned_block: the lowest that is fine-tuned where nothing else is asked for.
        explained_layer: name of the layer whose maps Grad-CAM adds up. Between it and the
            output there is nothing but max pooling.
        minimum_size: least height and width in pixels that leaves a pixel at the top.
        num_parameters: numbers in its weights.
        bytes_per_pixel: memory that a photo takes on its way through, for each of its pixels.
    """

    @property
    def name(self) -> str: ...

    @property
    def cut_points(self) -> Mapping[str, str]: ...

    @property
    def finetuned_block(self) -> str: ...

    @property
    def explained_layer(self) -> str: ...

    @property
    def minimum_size(self) -> int: ...

    @property
    def num_parameters(self) -> int: ...

    @property
    def bytes_per_pixel(self) -> int: ...

    def build(
        self, images: "keras.KerasTensor", policy: "keras.DTypePolicy"
    ) -> "keras.KerasTensor":
        """Build it of standard layers, preprocessing included.

        Args:
            images: raw RGB `(n, height, width, 3)`, 0 to 255.
            policy: of all layers but the preprocessing, which computes in float32.

        Returns:
            Maps `(n, rows, columns, channels)`.
        """

    def macs(self, image_size: tuple[int, int]) -> int:
        """Multiply-adds for one photo of a height and width in pixels."""

    def load_weights(self, setting: str, seed: int = 0) -> Weights:
        """Find and read the weights.

        Args:
            setting: `auto`, `random`, or a path.
            seed: of random weights.

        Raises:
            WeightsError: none can be found, or a file is not what it should be; the message
                names the ways out.
        """

    def find_weights(self) -> Path | None:
        """The file on this machine that `auto` would read; None where there is none."""

    def describe_source(self) -> str:
        """Where `auto` would take the weights from, without reading them."""


_ALL: tuple[Backbone, ...] = (
    VGG16,
    EFFICIENTNET_LITE0,
    EFFICIENTNET_LITE1,
    EFFICIENTNET_LITE2,
    MOBILENET_V2,
    *KERAS_BACKBONES,
)
_BACKBONES = {backbone.name: backbone for backbone in _ALL}


def backbone_names() -> list[str]:
    """Names of all backbones, the default first."""
    return list(_BACKBONES)


def get_backbone(name: str) -> Backbone:
    """Find a backbone by the name in `model.backbone`.

    Raises:
        ConfigError: there is none; the message lists them.
    """
    if name not in _BACKBONES:
        raise ConfigError(f"model.backbone should be one of {', '.join(_BACKBONES)}, got {name!r}")
    return _BACKBONES[name]


def finetuned_block(backbone: Backbone, setting: str) -> str:
    """Name of the lowest block that is trained, where `finetune.block` is `setting`.

    Raises:
        ConfigError: there is no such block; the message lists them.
    """
    block = backbone.finetuned_block if setting == "auto" else setting
    if block not in backbone.cut_points:
        raise ConfigError(
            f"finetune.block should be one of {', '.join(backbone.cut_points)}, got {block!r}"
        )
    return block


def finetune_boundary(backbone: Backbone, setting: str) -> str:
    """Name of the layer below the lowest block that is trained.

    Raises:
        ConfigError: as `finetuned_block`.
    """
    return backbone.cut_points[finetuned_block(backbone, setting)]
