"""Networks of `keras.applications`, rebuilt of standard layers, with the weights of Keras."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catsdogs.errors import WeightsError
from catsdogs.files import is_file
from catsdogs.network.backbones.keras_rebuilding import (
    draw_weights,
    named_weights,
    read_weights,
    rebuilt,
)
from catsdogs.network.weights import KerasFile, Weights, read_given_file
from catsdogs.untrusted.boundary import foreign_bytes

if TYPE_CHECKING:
    import keras

_PUBLISHED = "https://storage.googleapis.com/tensorflow/keras-applications"

_MEAN = (0.485, 0.456, 0.406)  # ImageNet's, of values 0 to 1
_STD = (0.229, 0.224, 0.225)
_BY_STATISTICS = (
    tuple(1 / (255 * std) for std in _STD),
    tuple(-mean / std for mean, std in zip(_MEAN, _STD, strict=True)),
)
_MINUS_1_TO_1 = ((1 / 127.5,), (-1.0,))


@dataclass(frozen=True, eq=False, kw_only=True)
class KerasBackbone:
    """See `Backbone`.

    Attributes:
        application: name of the function in `keras.applications`.
        rescaling: what pixel values are multiplied by, and what is added then.
        native_macs: multiply-adds for a photo of `native_side` pixels a side.
        file: its weights without the top.
    """

    name: str
    application: str
    rescaling: tuple[tuple[float, ...], tuple[float, ...]]
    cut_points: Mapping[str, str]
    finetuned_block: str
    explained_layer: str
    num_parameters: int
    native_side: int
    native_macs: int
    file: KerasFile
    minimum_size: int = 32
    bytes_per_pixel: int = 4 * 64 * 4

    def build(
        self, images: "keras.KerasTensor", policy: "keras.DTypePolicy"
    ) -> "keras.KerasTensor":
        import keras

        scale, offset = (list(v) if len(v) > 1 else v[0] for v in self.rescaling)
        x = keras.layers.Rescaling(scale, offset=offset, dtype="float32", name="preprocess")(images)
        height, width = images.shape[1:3]
        return rebuilt(self._theirs((height, width)), x, policy)

    def macs(self, image_size: tuple[int, int]) -> int:
        """Multiply-adds for one photo, in proportion to its pixels; rounding is left out."""
        height, width = image_size
        return round(self.native_macs * height * width / self.native_side**2)

    @property
    def ways_out(self) -> str:
        """What can be done where the weights cannot be fetched."""
        return f"set model.weights to the path of {self.file.name}"

    def load_weights(self, setting: str, seed: int = 0) -> Weights:
        theirs = self._theirs((self.minimum_size, self.minimum_size))
        if setting == "random":
            draw_weights(theirs, seed)
            return Weights(dict(named_weights(theirs)), "random", "")
        if setting != "auto":
            path, content = read_given_file(setting, self.ways_out)
            source = str(path)
        elif is_file(path := self.file.path):
            content, source = self.file.read(), "Keras' file"
        else:
            content, source = self.file.download(self.ways_out), "Keras' download"
        with foreign_bytes(path, WeightsError, self.ways_out, f"is no file of {self.name}"):
            read_weights(theirs, content)
        return Weights(dict(named_weights(theirs)), source, hashlib.sha256(content).hexdigest())

    def find_weights(self) -> Path | None:
        return self.file.path if is_file(self.file.path) else None

    def describe_source(self) -> str:
        if self.find_weights() is not None:
            return f"Keras' file {self.file.path}"
        return f"none on this machine: downloaded from {self.file.url}"

    def _theirs(self, image_size: tuple[int, int]) -> "keras.Model":
        import keras

        knows_preprocessing = self.application not in ("ResNet50V2", "Xception")
        settings: dict[str, Any] = {"include_preprocessing": False} if knows_preprocessing else {}
        return getattr(keras.applications, self.application)(
            include_top=False, weights=None, input_shape=(*image_size, 3), **settings
        )


KERAS_BACKBONES = (
    KerasBackbone(
        name="efficientnetv2_b0",
        application="EfficientNetV2B0",
        rescaling=_BY_STATISTICS,
        cut_points={"block5": "block4c_add", "block6": "block5e_add", "top": "block6h_add"},
        finetuned_block="block6",
        explained_layer="top_activation",
        num_parameters=5_919_312,
        native_side=224,
        native_macs=716_806_176,
        file=KerasFile(
            name="efficientnetv2-b0_notop.h5",
            url=f"{_PUBLISHED}/efficientnet_v2/efficientnetv2-b0_notop.h5",
            digest="893217f2bb855e2983157299931e43ff",
        ),
    ),
    KerasBackbone(
        name="efficientnetv2_s",
        application="EfficientNetV2S",
        rescaling=((1 / 128,), (-1.0,)),
        cut_points={"block5": "block4f_add", "block6": "block5i_add", "top": "block6o_add"},
        finetuned_block="block6",
        explained_layer="top_activation",
        num_parameters=20_331_360,
        native_side=384,
        native_macs=8_364_337_152,
        file=KerasFile(
            name="efficientnetv2-s_notop.h5",
            url=f"{_PUBLISHED}/efficientnet_v2/efficientnetv2-s_notop.h5",
            digest="af0682fb74e8c54910f2d4393339c070",
        ),
    ),
    KerasBackbone(
        name="convnext_tiny",
        application="ConvNeXtTiny",
        rescaling=_BY_STATISTICS,
        cut_points={"stage3": "add_6", "stage4": "add_15"},
        finetuned_block="stage4",
        explained_layer="layer_normalization_1",
        num_parameters=27_813_504,
        native_side=224,
        native_macs=4_454_763_264,
        file=KerasFile(
            name="convnext_tiny_notop.h5",
            url=f"{_PUBLISHED}/convnext/convnext_tiny_notop.h5",
            digest="d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        ),
    ),
    KerasBackbone(
        name="resnet50_v2",
        application="ResNet50V2",
        rescaling=_MINUS_1_TO_1,
        cut_points={"conv4": "conv3_block4_out", "conv5": "conv4_block6_out"},
        finetuned_block="conv5",
        explained_layer="post_relu",
        num_parameters=23_564_800,
        native_side=224,
        native_macs=3_480_207_360,
        file=KerasFile(
            name="resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
            url=f"{_PUBLISHED}/resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
            digest="fac2f116257151a9d068a22e544a4917",
        ),
    ),
    KerasBackbone(
        name="mobilenet_v3_large",
        application="MobileNetV3Large",
        rescaling=_MINUS_1_TO_1,
        cut_points={"block12": "expanded_conv_11_add", "top": "expanded_conv_14_add"},
        finetuned_block="block12",
        explained_layer="activation_20",
        num_parameters=2_996_352,
        native_side=224,
        native_macs=214_080_960,
        file=KerasFile(
            name="weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
            url=f"{_PUBLISHED}/mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
            digest="07fb09a5933dd0c8eaafa16978110389",
        ),
    ),
    KerasBackbone(
        name="xception",
        application="Xception",
        rescaling=_MINUS_1_TO_1,
        cut_points={"block13": "add_11", "block14": "add_12"},
        finetuned_block="block14",
        explained_layer="block14_sepconv2_act",
        num_parameters=20_861_480,
        native_side=299,
        native_macs=8_355_355_496,
        minimum_size=71,
        file=KerasFile(
            name="xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
            url=f"{_PUBLISHED}/xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
            digest="b0042744bf5b25fce3cb969f33bebb97",
        ),
    ),
)
