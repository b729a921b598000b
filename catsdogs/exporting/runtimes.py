"""Exported files, asked in the runtimes that their users will ask them in."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from catsdogs.data.images import open_any
from catsdogs.errors import ExportError
from catsdogs.exporting.self_check import Answers, CheckedPhoto
from catsdogs.network.engines.ncnn_engine import NcnnEngine
from catsdogs.network.network import Network
from catsdogs.systems import shell_word
from catsdogs.text import some_of

_ANY_SIZE = (65535, 65535)  # no photo is decoded smaller than it is

RUNTIMES = {
    "onnx": ("onnx", "onnxruntime"),
    "tflite": ("tensorflow", "ai_edge_litert"),
    "saved_model": ("tensorflow",),
    "html": (),
}
"""Packages that write a format, and that answer from its file."""


def require_runtimes(format_name: str) -> None:
    """Find out before any work whether a format can be written and checked here.

    Raises:
        ExportError: a package is missing.
    """
    missing = [name for name in RUNTIMES[format_name] if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(
            f"writing and checking {format_name} needs {some_of(missing)}: "
            f"run `pip install {shell_word('catsdogs[export]')}`"
        )


def whole(photo: CheckedPhoto) -> np.ndarray:
    """uint8 `(height, width, 3)`: decoded as other programs do, at its own size."""
    return np.asarray(open_any(photo.photo, _ANY_SIZE))


Prepare = Callable[[CheckedPhoto], np.ndarray]
"""A photo to what a file takes: uint8 `(height, width, 3)`, RGB."""


def onnx_answers(path: Path, prepare: Prepare = whole) -> Answers:
    """Ask an ONNX file, by ONNX Runtime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # its notes on how it simplifies the graph are not for users
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])

    def answers(photo: CheckedPhoto) -> np.ndarray:
        return session.run(None, {"images": prepare(photo)[None]})[0][0]

    return answers


def litert_answers(path: Path, prepare: Prepare) -> Answers:
    """Ask a LiteRT file, by LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(model_path=str(path))
    model.allocate_tensors()
    (takes,), (gives,) = model.get_input_details(), model.get_output_details()

    def answers(photo: CheckedPhoto) -> np.ndarray:
        model.set_tensor(takes["index"], prepare(photo)[None])
        model.invoke()
        return model.get_tensor(gives["index"])[0].copy()

    return answers


def saved_model_answers(path: Path, prepare: Prepare = whole) -> Answers:
    """Ask a SavedModel folder, by TensorFlow."""
    import tensorflow as tf

    model: Any = tf.saved_model.load(str(path))
    serve = model.signatures["serving_default"]

    def answers(photo: CheckedPhoto) -> np.ndarray:
        return serve(images=tf.constant(prepare(photo)[None]))["probabilities"].numpy()[0]

    return answers


def network_answers(network: Network, prepare: Prepare) -> Answers:
    """Ask a network itself, with the weights that a page holds, by the engine of `predict`."""
    engine = NcnnEngine(network)

    def answers(photo: CheckedPhoto) -> np.ndarray:
        return engine.outputs(prepare(photo)[None])[0][0]

    return answers
