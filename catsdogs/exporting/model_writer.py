"""Writes a model in one of the formats, and gives the runtime that answers from the file."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from catsdogs.config import Fit
from catsdogs.errors import ConfigError, DataError, ExportError
from catsdogs.exporting.page import PageFacts, page
from catsdogs.exporting.runtimes import (
    litert_answers,
    network_answers,
    onnx_answers,
    saved_model_answers,
    whole,
)
from catsdogs.exporting.self_check import Answers, CheckedPhoto, SelfCheck
from catsdogs.exporting.stored_weights import Precision, rounded_network
from catsdogs.files import replacing
from catsdogs.model.network_file import read_network
from catsdogs.model.predictor import Predictor
from catsdogs.network.folding import fold
from catsdogs.network.layers import Concatenate, Rescaling
from catsdogs.network.network import Network

Format = Literal["onnx", "tflite", "saved_model", "html"]
"""What a model is exported as."""

SUFFIXES: dict[str, Format] = {".onnx": "onnx", ".tflite": "tflite", ".html": "html"}
"""What the ending of a name chooses; no ending is a SavedModel folder."""

ENDINGS = {name: suffix for suffix, name in SUFFIXES.items()}
"""Of the formats that are a file."""

_LICENCE = "as the photos and the weights that the model was made from allow"
_LIST = "catsdogs/network/layers.py"


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        path: the file or folder.
        beside: the file of class names, where the format cannot hold them.
        format: what was chosen by the ending of its name, or given.
        precision: of the weights in it.
        num_bytes: its size, in bytes.
        takes: what it takes, in words.
        check: how it compares with the model.
        checked_on: which photos that was measured on, in words.
    """

    path: Path
    beside: Path | None
    format: Format
    precision: Precision
    num_bytes: int
    takes: str
    check: SelfCheck
    checked_on: str


def format_of(output: Path) -> Format:
    """What a name's ending chooses.

    Raises:
        ConfigError: it chooses nothing.
    """
    suffix = output.suffix.lower()
    if not suffix:
        return "saved_model"
    if suffix not in SUFFIXES:
        raise ConfigError(
            f"{output} has no ending that tells a format: expected .onnx, .tflite, .html, or a "
            "folder's name without an ending for a SavedModel"
        )
    return SUFFIXES[suffix]


def default_precision(format_name: Format) -> Precision:
    """What weights are kept in where nobody says: a page is carried about, and half as large."""
    return "float16" if format_name == "html" else "float32"


class ModelWriter:
    """Writes one format.

    Args:
        predictor: of the model.
        network: its network, as `exported_network` gives it.
        format_name: what is written.
        precision: what kernels are kept in.
        fit: how the file brings photos to the network's size; None: it takes that size alone.
    """

    def __init__(
        self,
        predictor: Predictor,
        network: Network,
        format_name: Format,
        precision: Precision,
        fit: Fit | None,
    ) -> None:
        self._predictor = predictor
        self._precision = precision
        self._network = network
        self._format = format_name
        self._fit = fit

    def write(self, part: Path, calibration: Sequence[CheckedPhoto]) -> None:
        """Write the file, or the folder of a SavedModel.

        Raises:
            ConfigError: the format has no such precision.
        """
        precision = self._precision
        names = self._predictor.class_names
        match self._format:
            case "onnx":
                from catsdogs.exporting.onnx import onnx_model, quantised, write_onnx

                model = onnx_model(
                    self._network, self._fit, precision == "float16", self._properties()
                )
                if precision == "int8":
                    model = quantised(model, self._all(calibration))
                write_onnx(part, model)
            case "tflite":
                from catsdogs.exporting.litert import litert_model

                part.write_bytes(litert_model(self._network, precision, self._all(calibration)))
            case "saved_model":
                from catsdogs.exporting.saved_model import write_saved_model

                if precision != "float32":
                    raise ConfigError(
                        "a SavedModel is written in float32: leave the precision out, or choose "
                        "another format"
                    )
                write_saved_model(part, self._network, self._fit, names)
            case "html":
                facts = page_facts(self._predictor, precision)
                part.write_text(page(self._network, facts, precision), encoding="utf-8")

    def answers(self, part: Path) -> Answers:
        """What was written, ready to be asked."""
        prepare = whole if self._fit else self._pixels
        match self._format:
            case "onnx":
                return onnx_answers(part, prepare)
            case "tflite":
                return litert_answers(part, prepare)
            case "saved_model":
                return saved_model_answers(part, prepare)
            case "html":
                rounded = rounded_network(self._network, self._precision)
                return network_answers(rounded, self._pixels)

    def write_names(self, output: Path) -> Path:
        """Write the class names, a line each, beside a file that cannot hold them."""
        path = output.with_suffix(".labels.txt")
        with replacing(path) as part:
            part.write_text("\n".join((*self._predictor.class_names, "")), "utf-8", newline="\n")
        return path

    def _all(self, photos: Sequence[CheckedPhoto]) -> list[np.ndarray]:
        """Those that can be read."""
        pixels = []
        for photo in photos:
            with suppress(DataError):
                pixels.append(self._pixels(photo))
        return pixels

    def _pixels(self, photo: CheckedPhoto) -> np.ndarray:
        return self._predictor.pixels(photo.photo)

    def _properties(self) -> dict[str, str]:
        from catsdogs.exporting.onnx import properties_of

        metadata = self._predictor.metadata
        if metadata is None:
            return properties_of(self._predictor.class_names, _LICENCE)
        return properties_of(
            self._predictor.class_names,
            _LICENCE,
            data_fingerprint=metadata.data_fingerprint,
            catsdogs=metadata.model_dump_json(exclude={"config"}),
        )


def page_facts(predictor: Predictor, precision: Precision) -> PageFacts:
    """What a page about a model says."""
    metadata = predictor.metadata
    height, width = predictor.image_size
    about = {
        "Classes": ", ".join(predictor.class_names),
        "Network": f"{metadata.backbone if metadata else 'plain Keras'}, {width} x {height} "
        f"pixels, weights in {precision}",
    }
    if metadata is not None:
        score = metadata.validation
        low, high = score.interval
        about |= {
            "Trained": f"{metadata.created[:10]}, by catsdogs {metadata.versions['catsdogs']}",
            "Accuracy": f"{score.accuracy:.3f} on {score.num_photos:,} photos held back "
            f"(95% interval {low:.3f} to {high:.3f})",
        }
    if predictor.unknown:
        about["Neither"] = (
            "for photos stranger than those that it was tried on; so are "
            f"{100 * predictor.unknown:.3g} of 100 ordinary ones"
        )
    return PageFacts(
        title=_title(predictor.class_names),
        class_names=predictor.class_names,
        fit=predictor.fit,
        about=about,
        unknown=predictor.unknown,
        known=predictor.known,
        neither=predictor.neither,
    )


def exported_network(path: Path, class_names: Sequence[str] | None) -> Network:
    """A model file's network, folded, raw RGB to a probability for each class.

    Raises:
        ModelFileError: the file cannot be opened.
        ExportError: the network has layers that are not in our list.
    """
    stored = read_network(path, class_names)
    if stored is None:
        raise ExportError(
            f"{path} has layers that cannot be exported: what can be is what {_LIST} lists"
        )
    return fold(_with_all_classes(stored.network))


def _with_all_classes(network: Network) -> Network:
    """A network that ends in one sigmoid unit, with the other of its two classes before it."""
    name = network.outputs[0]
    if network.output_shapes[0] != (1,):
        return network
    layers = (
        *network.layers,
        Rescaling(f"{name}/first_class", (name,), (-1.0,), (1.0,)),
        Concatenate(f"{name}/both_classes", (f"{name}/first_class", name)),
    )
    return Network(layers, network.weights, (layers[-1].name,))


def _title(names: Sequence[str]) -> str:
    """`cats or dogs?`; many classes are not all named."""
    if len(names) > 4:
        return f"Which of {len(names)}?"
    return f"{', '.join(names[:-1])} or {names[-1]}?"
