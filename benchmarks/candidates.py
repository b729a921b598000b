"""Every engine that could compute frozen layers here, bare, behind one call."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from catsdogs.model.keras_config import network_of
from catsdogs.network.folding import fold
from catsdogs.network.layers import (
    Convolution,
    GlobalAveragePooling,
    Input,
    Layer,
    MaxPooling,
    Rescaling,
)
from catsdogs.network.network import Network
from catsdogs.network.precision import choose_precision

Forward = Callable[[np.ndarray], np.ndarray]
"""Runs the frozen layers on images uint8 `(n, height, width, 3)`; features `(n, channels)`."""

MakeTrunk = Callable[[keras.DTypePolicy], keras.Model]
"""Gives the frozen layers as a Keras model, with the same weights each time."""


_NUM_CALIBRATING = 8
"""Photos that int8 is fitted to: each takes a gigabyte meanwhile."""


def candidates(
    make_trunk: MakeTrunk, photos: np.ndarray, folder: Path
) -> Iterator[tuple[str, Forward]]:
    """Every engine that can be imported, by name and precision.

    Keras first, in float32: what the others are compared with. Each uses all cores for one
    batch, as it comes.

    Args:
        make_trunk: see `MakeTrunk`.
        photos: uint8 `(n, height, width, 3)`, whose values int8 is fitted to.
        folder: for the files that some engines read.
    """
    float32 = make_trunk(keras.DTypePolicy("float32"))
    yield "Keras, float32", float32.predict_on_batch
    yield "Keras, bfloat16", make_trunk(keras.DTypePolicy("mixed_bfloat16")).predict_on_batch
    if (best := choose_precision()).name == "float16":
        yield "Keras, float16", make_trunk(best.policy).predict_on_batch
    if _has("ncnn"):
        from catsdogs.network.engines.ncnn_engine import NcnnEngine

        engine = NcnnEngine(network_of(float32))
        yield "ncnn, float32", lambda images: engine.outputs(images)[0]
    if _has("torch"):
        yield "PyTorch, float32", _in_pytorch(fold(network_of(float32)))
        yield "PyTorch, bfloat16", _in_pytorch(fold(network_of(float32)), "bfloat16")
    if _has("onnx"):
        yield from _of_onnx_file(fold(network_of(float32)), photos, folder)


def _of_onnx_file(
    network: Network, photos: np.ndarray, folder: Path
) -> Iterator[tuple[str, Forward]]:
    """Those that read the network from an ONNX file."""
    from catsdogs.exporting.onnx import onnx_model, quantised, write_onnx

    plain, in_bytes = folder / "trunk.onnx", folder / "trunk-int8.onnx"
    write_onnx(plain, onnx_model(network, None))
    if _has("onnxruntime"):
        # the quantiser changes the graph that it is given
        write_onnx(in_bytes, quantised(onnx_model(network, None), list(photos[:_NUM_CALIBRATING])))
        yield "ONNX Runtime, float32", _in_onnxruntime(plain)
        yield "ONNX Runtime, int8", _in_onnxruntime(in_bytes)
    if _has("openvino"):
        yield "OpenVINO, float32", _in_openvino(plain, "f32")
        yield "OpenVINO, bfloat16", _in_openvino(plain, "bf16")
        if in_bytes.exists():
            yield "OpenVINO, int8", _in_openvino(in_bytes, "f32")
    if _has("MNN"):
        yield "MNN, float32", _in_mnn(plain)


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _in_onnxruntime(path: Path) -> Forward:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def _in_openvino(path: Path, precision: str) -> Forward:
    import openvino

    compiled = openvino.Core().compile_model(
        str(path), "CPU", {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    )
    return lambda images: compiled(images)[0]


def _in_mnn(path: Path) -> Forward:
    """Converted by its own converter; two OpenMP threads in each batch."""
    converted = path.with_suffix(".mnn")
    command = [sys.executable, "-m", "MNN.tools.mnnconvert", "-f", "ONNX"]
    subprocess.run(
        [*command, "--modelFile", str(path), "--MNNModel", str(converted)],
        check=True,
        capture_output=True,
    )
    import MNN.expr
    import MNN.nn
    import onnx

    graph = onnx.load(path).graph
    settings = {"backend": "CPU", "numThread": 2, "precision": "high"}
    runtime = MNN.nn.create_runtime_manager((settings,))
    names = [graph.input[0].name], [graph.output[0].name]
    net = MNN.nn.load_module_from_file(str(converted), *names, runtime_manager=runtime)

    def forward(images: np.ndarray) -> np.ndarray:
        # channels last is in the graph: the format says only how many axes there are
        photos = MNN.expr.const(images, list(images.shape), MNN.expr.NCHW, MNN.expr.uint8)
        return np.array(net.forward([photos])[0].read())

    return forward


def _in_pytorch(network: Network, precision: str = "float32") -> Forward:
    """The layers of a folded VGG16; tensors in channels-last order, which is the quicker one."""
    import torch

    dtype = getattr(torch, precision)
    steps = [_as_torch(layer, network.weights.get(layer.name, ())) for layer in network.layers]
    model = torch.nn.Sequential(*steps).eval().to(memory_format=torch.channels_last)

    def forward(images: np.ndarray) -> np.ndarray:
        photos = torch.from_numpy(images).permute(0, 3, 1, 2).float()
        with (
            torch.inference_mode(),
            torch.autocast("cpu", dtype, enabled=dtype != torch.float32),
        ):
            return model(photos).float().numpy()

    return forward


def _as_torch(layer: Layer, weights: tuple[np.ndarray, ...]) -> Any:
    """One layer of a chain as a module.

    Raises:
        ValueError: a kind of layer that VGG16 does not have.
    """
    import torch

    match layer:
        case Input():
            return torch.nn.Identity()
        case Rescaling():
            return _rescaling(layer)
        case Convolution():
            kernel, bias = (torch.from_numpy(np.array(array)) for array in weights)
            module = torch.nn.Conv2d(*kernel.shape[2:], layer.size, layer.strides, padding="same")
            module.weight.data = kernel.permute(3, 2, 0, 1)  # (filters, channels, rows, columns)
            module.bias.data = bias
            return torch.nn.Sequential(module, torch.nn.ReLU(inplace=True))
        case MaxPooling():
            return torch.nn.MaxPool2d(layer.size, layer.strides)
        case GlobalAveragePooling():
            return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    raise ValueError(f"{layer.name} is no layer of VGG16")


def _rescaling(layer: Rescaling) -> Any:
    import torch

    class Rescale(torch.nn.Module):
        scale = torch.tensor(layer.scale).reshape(1, -1, 1, 1)
        offset = torch.tensor(layer.offset).reshape(1, -1, 1, 1)

        def forward(self, photos: Any) -> Any:
            return photos * self.scale + self.offset

    return Rescale()
