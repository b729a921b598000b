"""An ONNX file of a whole classifier, from our own list of layers: pixels in, probabilities out.

Bringing a photo to the network's size is part of the graph, so that whoever uses the file has
nothing to do but decode the photo. Only operators of the standard's default domain are used.
"""

import json
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from catsdogs import __version__
from catsdogs.config import Fit
from catsdogs.data.framing import MEAN_COLOUR
from catsdogs.errors import CatsdogsError
from catsdogs.network import layers
from catsdogs.network.network import Network
from catsdogs.network.precision import as_float16

OPSET = 18
"""The first whose `Resize` averages where it shrinks (`antialias`)."""

_IR_VERSION = 9  # of ONNX 1.14, the first with a checker for this opset: what runtimes of 2023 read

INPUT_NAME = "images"
OUTPUT_NAME = "probabilities"


def onnx_model(
    network: Network,
    fit: Fit | None,
    half_weights: bool = False,
    properties: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """Write a network as an ONNX model.

    Args:
        network: folded (see `network/folding.py`), raw RGB to probabilities.
        fit: how a photo of any size is brought to the network's; None: the graph takes photos
            of the network's size alone.
        half_weights: keep kernels as float16; they are multiplied as float32 all the same.
        properties: what stands in `metadata_props`.

    Returns:
        A model with one input, `images`, uint8 `(n, height, width, 3)`, RGB, 0 to 255, and one
        output, `probabilities`, float32 `(n, classes)`.
    """
    return _Writer(network, fit, half_weights).model(properties or {})


class _Writer:
    """Puts nodes and constants together, layer by layer; a node is called as its output."""

    def __init__(self, network: Network, fit: Fit | None, half_weights: bool) -> None:
        self._network = network
        self._fit = fit
        self._half_weights = half_weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def model(self, properties: Mapping[str, str]) -> onnx.ModelProto:
        rows, columns, channels = self._network.input.shape
        outputs = {self._network.input.name: self._photos(rows, columns)}
        for layer in self._network.layers[1:]:
            inputs = [outputs[name] for name in layer.inputs]
            shapes = [self._network.shapes[name] for name in layer.inputs]
            outputs[layer.name] = self._layer(layer, inputs, shapes)
        self._nodes.append(
            helper.make_node("Identity", [outputs[self._network.outputs[0]]], [OUTPUT_NAME])
        )
        size: Sequence[str | int] = ("height", "width") if self._fit else (rows, columns)
        num_classes = self._network.output_shapes[0][0]
        graph = helper.make_graph(
            self._nodes,
            "catsdogs",
            [
                helper.make_tensor_value_info(
                    INPUT_NAME, TensorProto.UINT8, ["batch", *size, channels]
                )
            ],
            [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, ["batch", num_classes])],
            list(self._constants.values()),
        )
        model = helper.make_model(
            graph,
            producer_name="catsdogs",
            producer_version=__version__,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
        )
        helper.set_model_props(model, dict(properties))
        onnx.checker.check_model(model, full_check=True)
        return model

    # --- pieces ---------------------------------------------------------------------------

    def _constant(self, name: str, values: Any, dtype: type[np.generic] = np.int64) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(values, dtype), name)
        return name

    def _node(self, kind: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def _weights(self, name: str, values: np.ndarray) -> str:
        """A kernel, halved where that was asked for."""
        if not self._half_weights:
            return self._constant(name, values, np.float32)
        half = self._constant(f"{name}/half", as_float16(values), np.float16)
        return self._node("Cast", name, [half], to=TensorProto.FLOAT)

    # --- photos to the network's size -----------------------------------------------------

    def _photos(self, rows: int, columns: int) -> str:
        """uint8 `(n, height, width, 3)` to float32 `(n, 3, rows, columns)`, 0 to 255."""
        x = self._node("Transpose", "photos/channels_first", [INPUT_NAME], perm=[0, 3, 1, 2])
        if self._fit == "crop":
            x = self._cropped(x)
        elif self._fit == "pad":
            x = self._padded(x)
        if self._fit is not None:
            x = self._resized(x, rows, columns)
        return self._node("Cast", "photos/float", [x], to=TensorProto.FLOAT)

    def _shaped(self, x: str) -> tuple[str, str]:
        """Height and width of photos, and what each would be in the network's shape."""
        rows, columns, _ = self._network.input.shape
        ratio = self._constant("frame/ratio", [rows / columns, columns / rows], np.float32)
        size = self._node("Shape", "frame/size", [x], start=2)
        swap = self._constant("frame/swap", [1, 0])
        swapped = self._node("Gather", "frame/swapped", [size, swap], axis=0)
        other = self._node("Cast", "frame/other", [swapped], to=TensorProto.FLOAT)
        exact = self._node("Mul", "frame/exact", [other, ratio])
        rounded = self._node("Round", "frame/rounded", [exact])
        wanted = self._node("Cast", "frame/wanted", [rounded], to=TensorProto.INT64)
        return size, self._node("Max", "frame/least", [wanted, self._constant("frame/one", [1])])

    def _cropped(self, x: str) -> str:
        """The largest part in the middle that has the network's shape."""
        size, wanted = self._shaped(x)
        part = self._node("Min", "crop/part", [size, wanted])
        rest = self._node("Sub", "crop/rest", [size, part])
        start = self._node("Div", "crop/start", [rest, self._constant("crop/two", [2])])
        end = self._node("Add", "crop/end", [start, part])
        return self._node("Slice", "crop", [x, start, end, self._constant("crop/axes", [2, 3])])

    def _padded(self, x: str) -> str:
        """The photo in the middle of the smallest field of the network's shape."""
        size, wanted = self._shaped(x)
        rest = self._node("Sub", "pad/rest", [self._node("Max", "pad/whole", [size, wanted]), size])
        after = self._node("Div", "pad/after", [rest, self._constant("pad/two", [2])])
        before = self._node("Sub", "pad/before", [rest, after])
        # for all four axes: ONNX Runtime 1.32 miscounts a pad that names its axes
        none = self._constant("pad/none", [0, 0])
        pads = self._node("Concat", "pad/pads", [none, before, none, after], axis=0)
        # a pad has one value: the colour is taken off first and laid on again after
        colour = np.reshape(MEAN_COLOUR, (1, 3, 1, 1))
        colour_name = self._constant("pad/colour", colour, np.float32)
        as_float = self._node("Cast", "pad/float", [x], to=TensorProto.FLOAT)
        shifted = self._node("Sub", "pad/shifted", [as_float, colour_name])
        zero = self._constant("pad/zero", 0, np.float32)
        laid = self._node("Pad", "pad", [shifted, pads, zero])
        return self._node("Add", "pad/filled", [laid, colour_name])

    def _resized(self, x: str, rows: int, columns: int) -> str:
        """Averages where it shrinks, as Pillow's bilinear filter does; whole numbers stay whole."""
        outer = self._node("Shape", "resize/outer", [x], start=0, end=2)
        wanted = self._constant("resize/wanted", [rows, columns])
        size = self._node("Concat", "resize/size", [outer, wanted], axis=0)
        return self._node(
            "Resize",
            "resize",
            [x, "", "", size],
            mode="linear",
            antialias=1,
            coordinate_transformation_mode="half_pixel",
        )

    # --- layers ---------------------------------------------------------------------------

    def _layer(self, layer: layers.Layer, inputs: list[str], shapes: list[layers.Shape]) -> str:
        name = f"layer/{layer.name}"  # apart from the names of photos and answers
        match layer:
            case layers.Rescaling():
                as_channels = (1, -1, 1, 1) if len(shapes[0]) == 3 else (1, -1)
                scale = np.reshape(layer.scale, as_channels)
                offset = np.reshape(layer.offset, as_channels)
                scale_name = self._constant(f"{name}/scale", scale, np.float32)
                scaled = self._node("Mul", f"{name}/scaled", [inputs[0], scale_name])
                offset_name = self._constant(f"{name}/offset", offset, np.float32)
                return self._node("Add", name, [scaled, offset_name])
            case layers.ZeroPadding():
                top, bottom, left, right = layer.pads
                pads = self._constant(f"{name}/pads", [0, 0, top, left, 0, 0, bottom, right])
                zero = self._constant(f"{name}/zero", 0, np.float32)
                return self._node("Pad", name, [inputs[0], pads, zero])
            case layers.Convolution() | layers.DepthwiseConvolution():
                return self._convolution(layer, inputs[0], shapes[0])
            case layers.Dense():
                kernel, bias = self._network.weights[layer.name]
                product = self._node(
                    "Gemm",
                    f"{name}/sums",
                    [
                        inputs[0],
                        self._weights(f"{name}/kernel", kernel),
                        self._constant(f"{name}/bias", bias, np.float32),
                    ],
                )
                return self._activated(name, product, layer.activation, 1)
            case layers.Activation():
                return self._activated(name, inputs[0], layer.activation, 1)
            case layers.Add():
                return self._node("Sum", name, inputs)
            case layers.Concatenate():
                return self._node("Concat", name, inputs, axis=1)
            case layers.MaxPooling() | layers.AveragePooling():
                kind = "MaxPool" if isinstance(layer, layers.MaxPooling) else "AveragePool"
                top, bottom, left, right = layer.pads(shapes[0])
                return self._node(
                    kind,
                    name,
                    inputs,
                    kernel_shape=layer.size,
                    strides=layer.strides,
                    pads=[top, left, bottom, right],
                )
            case layers.GlobalAveragePooling() | layers.GlobalMaxPooling():
                is_mean = isinstance(layer, layers.GlobalAveragePooling)
                axes = self._constant(f"{name}/axes", [2, 3])
                kind = "ReduceMean" if is_mean else "ReduceMax"
                return self._node(kind, name, [inputs[0], axes], keepdims=0)
            case layers.Flatten():
                x = inputs[0]
                if len(shapes[0]) == 3:  # in Keras' order, the channels of a place together
                    x = self._node("Transpose", f"{name}/last", [x], perm=[0, 2, 3, 1])
                return self._node("Flatten", name, [x], axis=1)
            case _:
                raise CatsdogsError(
                    f"layer {name} ({type(layer).__name__}) cannot be written as ONNX"
                )

    def _convolution(
        self,
        layer: layers.Convolution | layers.DepthwiseConvolution,
        x: str,
        shape: layers.Shape,
    ) -> str:
        kernel, bias = self._network.weights[layer.name]
        name = f"layer/{layer.name}"
        is_depthwise = isinstance(layer, layers.DepthwiseConvolution)
        order = (2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1)
        top, bottom, left, right = layer.pads(shape)
        sums = self._node(
            "Conv",
            f"{name}/sums",
            [
                x,
                self._weights(f"{name}/kernel", kernel.transpose(order)),
                self._constant(f"{name}/bias", bias, np.float32),
            ],
            kernel_shape=layer.size,
            strides=layer.strides,
            pads=[top, left, bottom, right],
            group=shape[-1] if is_depthwise else 1,
        )
        return self._activated(name, sums, layer.activation, 1)

    def _activated(self, name: str, x: str, activation: layers.ActivationName, axis: int) -> str:
        match activation:
            case "linear":
                return self._node("Identity", name, [x])
            case "relu":
                return self._node("Relu", name, [x])
            case "relu6":
                zero = self._constant("relu6/zero", 0, np.float32)
                six = self._constant("relu6/six", 6, np.float32)
                return self._node("Clip", name, [x, zero, six])
            case "sigmoid":
                return self._node("Sigmoid", name, [x])
            case "softmax":
                return self._node("Softmax", name, [x], axis=axis)


def properties_of(class_names: Sequence[str], licence: str, **facts: str) -> dict[str, str]:
    """What a file says about itself, in `metadata_props`: every value is text, lists are JSON."""
    return {
        "class_names": json.dumps(list(class_names), ensure_ascii=False),
        "licence": licence,
        **{name: value for name, value in facts.items() if value},
    }


def write_onnx(path: Path, model: onnx.ModelProto) -> None:
    """Write a model into one file."""
    path.write_bytes(model.SerializeToString())


def quantised(model: onnx.ModelProto, photos: Sequence[np.ndarray]) -> onnx.ModelProto:
    """Bytes in place of float32, in weights and between layers, by ONNX Runtime's quantiser.

    Args:
        model: in float32.
        photos: uint8 `(height, width, 3)` each, of the network's size: they show how large the
            values between the layers become.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Photos(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = iter(photos)

        def get_next(self) -> dict[str, np.ndarray] | None:
            photo = next(self._left, None)
            return None if photo is None else {INPUT_NAME: photo[None]}

    with tempfile.TemporaryDirectory() as folder, _without_advice():
        path = Path(folder) / "quantised.onnx"
        quantize_static(
            model,
            path,
            Photos(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            op_types_to_quantize=["Conv", "Gemm", "Add", "Sum", "MaxPool"],
        )
        return onnx.load(path)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Silence the quantiser's line that the graph should be simplified first: it is simple."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
