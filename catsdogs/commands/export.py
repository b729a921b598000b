"""`catsdogs export`: the model as a file for other runtimes, with proof that it answers alike."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catsdogs import systems
from catsdogs.console import Console
from catsdogs.errors import DataError, ExportError
from catsdogs.exporting.checked_photos import photos_to_calibrate, photos_to_check
from catsdogs.exporting.model_writer import (
    ENDINGS,
    ExportResult,
    Format,
    ModelWriter,
    exported_network,
    format_of,
)
from catsdogs.exporting.runtimes import require_runtimes
from catsdogs.exporting.self_check import (
    Answers,
    CheckedPhoto,
    SelfCheck,
    compare_answers,
    refuse_if_other,
)
from catsdogs.exporting.stored_weights import Precision
from catsdogs.files import (
    PAGE_MARK,
    check_writable,
    exists,
    in_the_making,
    is_dir,
    not_writable,
    real_path,
    replacing,
)
from catsdogs.model.predictor import ModelRequest, Predictor
from catsdogs.network.backend import captured_stderr
from catsdogs.untrusted.boundary import foreign_bytes

_SAVED_MODEL_NAMES = {
    "saved_model.pb",
    "fingerprint.pb",
    "keras_metadata.pb",
    "variables",
    "assets",
    "assets.extra",
}
"""All that lies in a SavedModel folder; with anything else it is not only that."""

_MARKS: dict[Format, bytes] = {"onnx": b"\x12\x08catsdogs", "html": PAGE_MARK}
"""What a file of ours has at its start: in ONNX the name of its producer."""


@dataclass(frozen=True)
class ExportRequest:
    """What is wanted.

    Attributes:
        model_path: a file that `catsdogs train` or `finetune` wrote, or one of plain Keras.
        output: what is written.
        format: of it; None: by its ending.
        precision: what kernels are kept in.
        resizes: the file brings photos of any size to the network's; where its format can.
        data: photos for the self-check; None: those that the model was validated with, else
            the built-in ones.
        class_names: of a plain Keras file.
        unknown: the share of ordinary photos that a page may refuse; None: what the file says.
    """

    model_path: Path
    output: Path
    format: Format | None = None
    precision: Precision = "float32"
    resizes: bool = True
    data: Path | None = None
    class_names: Sequence[str] | None = None
    unknown: float | None = None


def export(request: ExportRequest, console: Console) -> ExportResult:
    """Write the file, ask it about photos, and keep it if it answers as the model does.

    Raises:
        CatsdogsError: the model cannot be used or exported, a package is missing, the file
            cannot be written, or answers otherwise; what was there before is unchanged.
    """
    format_name = request.format or format_of(request.output)
    require_runtimes(format_name)
    _check_output(request.output, format_name)
    # photo by photo in float32: what the file is compared with
    model = ModelRequest(
        request.model_path, "float32", request.class_names, unknown=request.unknown
    )
    predictor = Predictor(model, num_photos=1)
    network = exported_network(request.model_path, request.class_names)
    photos, checked_on = photos_to_check(request.data, predictor)
    for_calibration = photos_to_calibrate(predictor, photos) if request.precision == "int8" else []
    fit = predictor.fit if request.resizes and format_name != "tflite" else None
    writer = ModelWriter(predictor, network, format_name, request.precision, fit)
    with _in_place(request.output, format_name) as part:
        console.note(f"writing {request.output}")
        with captured_stderr():  # converters and runtimes say how they are getting on
            with _told_by_tensorflow(request.output, format_name):
                writer.write(part, for_calibration)
            answers = writer.answers(part)
        check = _compare(predictor, answers, photos, console)
        refuse_if_other(check, request.precision, resizes=fit is not None)
        num_bytes = _size(part)
    beside = writer.write_names(request.output) if format_name == "tflite" else None
    height, width = predictor.image_size
    any_size = fit is not None
    return ExportResult(
        request.output,
        beside,
        format_name,
        request.precision,
        num_bytes,
        f"photos of {'any size' if any_size else f'{width} x {height} pixels'}, uint8, RGB",
        check,
        checked_on,
    )


def _check_output(output: Path, format_name: Format) -> None:
    if format_name != "saved_model":
        check_writable(output, "output", ENDINGS[format_name], _MARKS.get(format_name, b""))
    elif exists(output):
        if not exists(output / "saved_model.pb"):
            raise DataError(f"{output} is there and is no SavedModel: choose another name")
        other = sorted({path.name for path in output.iterdir()} - _SAVED_MODEL_NAMES)
        if other:
            raise DataError(
                f"{output} holds more than a SavedModel ({output / other[0]}), which would be "
                "lost: choose another name"
            )


def _told_by_tensorflow(output: Path, format_name: Format) -> AbstractContextManager[None]:
    """A full disk is an error of TensorFlow's own where it writes, and no OSError."""
    if format_name != "saved_model":
        return nullcontext()
    return foreign_bytes(output, ExportError, "choose another place", "cannot be written")


@contextmanager
def _in_place(output: Path, format_name: Format) -> Iterator[Path]:
    """Where to write, beside the output, which is replaced at the end; a folder as a whole."""
    if format_name != "saved_model":
        with replacing(output) as part:
            yield part
        return
    output = real_path(output)  # a folder called `.` has no name to put one beside it
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    old = output.with_name(f".{output.name}.{os.getpid()}.old")
    try:
        with in_the_making(part):
            yield part
        if is_dir(output):
            systems.replace(output, old)
        systems.replace(part, output)
    except OSError as error:
        with suppress(OSError):  # there is none to bring back
            systems.replace(old, output)
        raise not_writable(output, error, "output") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if is_dir(output):
            shutil.rmtree(old, ignore_errors=True)


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _compare(
    predictor: Predictor, answers: Answers, photos: Sequence[CheckedPhoto], console: Console
) -> SelfCheck:
    expected = predictor.answer(photo.photo for photo in photos)
    readable, rows = [], []
    with console.task("asking the model", len(photos)) as task:
        for photo, answer in zip(photos, expected, strict=True):
            task.advance(1)
            if not answer.error:
                readable.append(photo)
                rows.append(np.array([answer.probabilities[n] for n in predictor.class_names]))
    if not readable:
        raise DataError(f"no photo of {len(photos):,} can be read: give others by data.dir")
    with console.task("asking the file", len(readable)) as task:
        return compare_answers(readable, rows, answers, lambda: task.advance(1))
