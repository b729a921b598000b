"""A saved model and photo files to probabilities: one way for every command that asks."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import keras
import numpy as np
from pydantic import ValidationError

from catsdogs.config import DataConfig, Fit
from catsdogs.console import Console
from catsdogs.data.batches import decode_each
from catsdogs.data.images import Photo, read_any
from catsdogs.data.threads import num_decode_threads
from catsdogs.errors import ModelFileError
from catsdogs.network.engines.keras_engine import ForwardPass, forward_batch_size
from catsdogs.network.metadata import Metadata
from catsdogs.network.model_file import open_model
from catsdogs.network.precision import choose_precision
from catsdogs.untrusted.boundary import foreign_bytes

_BATCH_BYTES = 2**30
"""Memory that the photos of a batch may take in a stranger's network."""

_SUM_TOLERANCE = 0.02
"""Of a row of probabilities that were computed in bfloat16, with 8 bits a number."""


AnyPhoto = TypeVar("AnyPhoto", bound=Photo)


@dataclass(frozen=True)
class Answer:
    """What a model says of one photo.

    Attributes:
        probabilities: class names to probabilities, most probable first; empty where the
            photo could not be read.
        error: why it could not be read; empty otherwise.
    """

    probabilities: dict[str, float]
    error: str = ""

    @property
    def class_name(self) -> str:
        """The most probable class; empty where the photo could not be read."""
        return next(iter(self.probabilities), "")


@dataclass(frozen=True)
class Prediction:
    """The answer for one photo file.

    Attributes:
        path: as it was asked for.
        probabilities: class names to probabilities, most probable first; empty where the
            photo could not be read.
        error: why it could not be read; empty otherwise.
        asked: the path letter by letter as it was asked for; empty where that is `path`.
    """

    path: Path
    probabilities: dict[str, float]
    error: str = ""
    asked: str = ""

    @property
    def name(self) -> str:
        """The path as it is written into an answer."""
        return self.asked or str(self.path)

    @property
    def class_name(self) -> str:
        """The most probable class; empty where the photo could not be read."""
        return next(iter(self.probabilities), "")


class Predictor:
    """A loaded model that answers for photos.

    Args:
        model_path: a file that `catsdogs train` or `finetune` wrote, or one of plain Keras.
        precision: as in the configuration; a plain Keras file has its own.
        class_names: of a plain Keras file, in the order of its output; None for ours.

    Attributes:
        model: the classifier.
        metadata: what the file says about itself; None for a plain Keras file.
        class_names: in the order of the output.
        image_size: height and width in pixels that photos are brought to.
        fit: how; a plain Keras file's are stretched.

    Raises:
        ModelFileError: the file is missing, damaged, not admitted, or gives no probabilities.
        ConfigError: `class_names` are no names of different classes.
    """

    model: keras.Model
    metadata: Metadata | None
    class_names: tuple[str, ...]
    image_size: tuple[int, int]
    fit: Fit

    def __init__(
        self, model_path: Path, precision: str = "auto", class_names: Sequence[str] | None = None
    ) -> None:
        opened = open_model(model_path, choose_precision(precision).policy, class_names)
        self.model, self.metadata = opened.model, opened.metadata
        self._path = model_path
        self.class_names = opened.class_names
        self.image_size = opened.image_size
        self.fit = self.metadata.architecture.fit if self.metadata else "stretch"
        self._most_at_once = max(1, _BATCH_BYTES // (opened.bytes_per_photo or 1))
        if self.metadata is None:
            self._try()

    def _try(self) -> None:
        """Ask a stranger's network once, before it answers for anything."""
        grey = np.full((1, *self.image_size, 3), 128, np.uint8)
        settings = (layer.get_config() for layer in self.model.layers)
        is_turned = any(found.get("data_format") == "channels_first" for found in settings)
        with foreign_bytes(
            self._path,
            ModelFileError,
            "save it with layers that this backend has for this device"
            + (", in channels_last" if is_turned else ""),
            "cannot be computed here"
            + (", where layers in channels_first may be missing" if is_turned else ""),
        ):
            rows = np.asarray(self.model.predict_on_batch(grey))
        self._as_probabilities(rows)

    @property
    def trained_on(self) -> DataConfig | None:
        """Where the training photos lay and how they were split; None where that is not known."""
        if self.metadata is None:
            return None
        try:
            section = self.metadata.config["data"]
            return DataConfig(
                dir=section["dir"], validation_fraction=section["validation_fraction"]
            )
        except (KeyError, TypeError, ValidationError):
            return None

    def predict(
        self,
        paths: Iterable[Path],
        console: Console | None,
        total: int | None = None,
        part_of: int | None = None,
    ) -> Iterator[Prediction]:
        """Answer for photos in the order of their paths; memory does not grow with them.

        Args:
            paths: photo files, taken as they are needed.
            console: where progress is shown; None shows none.
            total: how many there are; None where it is not known, or where `paths` says it.
            part_of: how many the whole is that they are a part of: batches have the size
                that they have in it, so that answers differ from its own at most by their
                places in a batch (some processors, float32: less than 1e-6).
        """
        for path, answer in self._answer(paths, console, total, part_of):
            yield Prediction(path, answer.probabilities, answer.error)

    def answer(self, photos: Iterable[Photo], console: Console | None = None) -> Iterator[Answer]:
        """Answer for photos in any form, as `predict` does for files."""
        for _, answer in self._answer(photos, console, None, None):
            yield answer

    def _answer(
        self,
        photos: Iterable[AnyPhoto],
        console: Console | None,
        total: int | None,
        part_of: int | None,
    ) -> Iterator[tuple[AnyPhoto, Answer]]:
        if isinstance(photos, Sized):
            total = len(photos)
        size = self.image_size
        batch_size = min(forward_batch_size(size), self._most_at_once)
        batch_size = min(batch_size, part_of or total or batch_size)
        forward = ForwardPass(self.model, console.warn if console else lambda _: None)
        batches = decode_each(
            lambda item: read_any(item[1], size, self.fit),
            enumerate(photos),
            batch_size,
            num_decode_threads(0),
        )
        progress = console.task("predicting", total) if console else nullcontext()
        with progress as task:
            for batch, outputs in forward.over(batches, batch_size):
                answers = {
                    position: (photo, Answer({}, reason))
                    for (position, photo), reason in batch.failures
                }
                if outputs:
                    rows = self._as_probabilities(outputs[0])
                    for (position, photo), row in zip(batch.positions, rows, strict=True):
                        answers[position] = photo, Answer(self._ranked(row))
                if task is not None:
                    task.advance(len(answers))
                for position in sorted(answers):
                    yield answers[position]

    def _as_probabilities(self, rows: np.ndarray) -> np.ndarray:
        """What the model gave, `(n, units)`, as probabilities, float `(n, classes)`."""
        if self.metadata is not None:
            return rows
        rows = rows.astype(np.float32)
        if rows.shape[1] < len(self.class_names):  # one sigmoid unit: how much of the second class
            rows = np.concatenate([1 - rows, rows], axis=1)
        if not (rows.min() >= 0 and abs(rows.sum(axis=1) - 1).max() <= _SUM_TOLERANCE):
            shown = ", ".join(f"{value:.3g}" for value in rows[0, :5])
            raise ModelFileError(
                f"{self._path} gives {shown}, which are no probabilities that sum to 1: "
                "end it in a softmax, or in one sigmoid unit for two classes"
            )
        return rows

    def _ranked(self, row: np.ndarray) -> dict[str, float]:
        order = np.argsort(-row, kind="stable")
        return {self.class_names[index]: float(row[index]) for index in order}
