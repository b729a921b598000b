"""A saved model and photo files to probabilities: one way for every command that asks."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from catsdogs.config import DataConfig, Fit
from catsdogs.console import Console
from catsdogs.data.batches import decode_each, num_decode_threads
from catsdogs.data.evaluation_set import TrainedOn
from catsdogs.data.images import Photo, read_any
from catsdogs.errors import ModelFileError, ProcessError
from catsdogs.model.answer import Answer, Prediction
from catsdogs.model.keras_config import OtherLayersError
from catsdogs.model.known_photos import KnownPhotos
from catsdogs.model.metadata import Metadata
from catsdogs.model.opened_file import OpenedFile, open_for_keras, open_for_ncnn
from catsdogs.model.refusal import check_share, is_refused, name_of_neither
from catsdogs.network.engines.choice import EngineChoice, choose_engine
from catsdogs.network.engines.engine import Engine, answer_batches
from catsdogs.network.network import Network
from catsdogs.untrusted.boundary import foreign_bytes

_SUM_TOLERANCE = 0.02
"""Of a row of probabilities that were computed in bfloat16, with 8 bits a number."""


AnyPhoto = TypeVar("AnyPhoto", bound=Photo)


@dataclass(frozen=True)
class ModelRequest:
    """Which model is to answer, and how.

    Attributes:
        path: a file that `catsdogs train` or `finetune` wrote, or one of plain Keras.
        precision: as in the configuration; a plain Keras file has its own.
        class_names: of a plain Keras file, in the order of its output; None for ours.
        engine: as in the configuration. A plain Keras file with layers that are not in our list
            is Keras' to compute.
        unknown: the share of ordinary photos that may be refused; 0: every photo gets a class;
            None: what the file says.
    """

    path: Path
    precision: str = "auto"
    class_names: Sequence[str] | None = None
    engine: str = "auto"
    unknown: float | None = None


class Predictor:
    """A loaded model that answers for photos.

    Args:
        request: which model.
        num_photos: how many will be asked for in all, for the choice of engine and for what is
            computed together; None: many.
        can_explain: keeps what `engine_for` and `head` need: the weights once more in memory.

    Attributes:
        path: of the model's file.
        metadata: what the file says about itself; None for a plain Keras file.
        class_names: in the order of the output.
        image_size: height and width in pixels that photos are brought to.
        fit: how; a plain Keras file's are stretched.
        choice: which engine answers, and why.
        known: what the photos of its classes look like to the model; None where it cannot tell.
        unknown: the share of ordinary photos that may be refused; 0: every photo gets a class.

    Raises:
        ModelFileError: the file is missing, damaged, not admitted, or gives no probabilities.
        ConfigError: `class_names` are no names of different classes, ncnn is asked for in a
            precision that it does not have, or the model cannot refuse such a share.
    """

    path: Path
    metadata: Metadata | None
    class_names: tuple[str, ...]
    image_size: tuple[int, int]
    fit: Fit
    choice: EngineChoice
    known: KnownPhotos | None
    unknown: float

    def __init__(
        self, request: ModelRequest, num_photos: int | None = None, can_explain: bool = True
    ) -> None:
        self.path, names = request.path, request.class_names
        self._process_id = os.getpid()
        self._warn: Callable[[str], None] = lambda _: None
        self.choice = choose_engine(request.engine, request.precision, num_photos)
        opened: OpenedFile | None = None
        if self.choice.name == "ncnn":
            opened = open_for_ncnn(self.path, names)
            if opened is None:
                self.choice = EngineChoice("keras", "layers that only Keras has")
        if opened is None:
            opened = open_for_keras(self.path, names, request.precision, self._say)
        self.metadata, self.class_names = opened.metadata, opened.class_names
        self.image_size = opened.image_size
        self.fit = self.metadata.architecture.fit if self.metadata else "stretch"
        self._opened = opened if can_explain else None
        self.known = opened.known
        of_file = self.metadata.unknown if self.metadata else 0.0
        self.unknown = of_file if request.unknown is None else request.unknown
        if self.unknown:
            check_share(self.path, self.known, self.unknown)
        self.neither = name_of_neither(self.class_names)
        self._engine = opened.make_engine(opened.measured if self.known else (), num_photos)
        if self.metadata is None:
            self._try(opened.is_turned)

    def _try(self, is_turned: bool) -> None:
        """Ask a stranger's network once, before it answers for anything."""
        grey = np.full((1, *self.image_size, 3), 128, np.uint8)
        with foreign_bytes(
            self.path,
            ModelFileError,
            "save it with layers that this backend has for this device"
            + (", in channels_last" if is_turned else ""),
            "cannot be computed here"
            + (", where layers in channels_first may be missing" if is_turned else ""),
        ):
            rows = self._engine.outputs(grey)[-1]
        self.as_probabilities(rows)

    def engine_for(self, *names: str) -> Engine:
        """An engine, the same that answers, for the outputs of some layers, photo by photo."""
        self._refuse_other_process()
        return self._kept.make_engine(names, 1)

    @property
    def _kept(self) -> OpenedFile:
        if self._opened is None:
            raise ValueError("this predictor was made for answers alone")
        return self._opened

    @cached_property
    def head(self) -> tuple[str, Network]:
        """Name of the layer whose maps are pooled, and the network above it.

        Raises:
            ModelFileError: it has layers that are not in our list.
        """
        try:
            return self._kept.head()
        except OtherLayersError as error:
            raise ModelFileError(f"the head of {self.path} has other layers: {error}") from None

    def _refuse_other_process(self) -> None:
        """A fork copies an engine without its threads, and would wait for them for ever.

        Raises:
            ProcessError: this process is another one than the model was loaded in.
        """
        if os.getpid() != self._process_id:
            raise ProcessError(
                f"{self.path} was loaded before this process was forked: load it in each process, "
                "and start them by 'spawn'"
            )

    def _say(self, line: str) -> None:
        self._warn(line)

    @property
    def temperature(self) -> float:
        """By which the model divides its logits, so that probabilities hold; 1: it does not."""
        return self.metadata.temperature if self.metadata else 1.0

    @property
    def trained_on(self) -> TrainedOn | None:
        """What is known of the photos that it was trained on; None where nothing is."""
        if self.metadata is None:
            return None
        with suppress(ModelFileError), foreign_bytes(self.path, ModelFileError):
            config = self.metadata.config
            section = config["data"]
            kept = ("dir", "validation_fraction", "classes", "group")  # later versions: others
            data = DataConfig(**{key: section[key] for key in kept if key in section})
            is_solved = config.get("head", {}).get("kind") == "logistic"
            return TrainedOn(
                data,
                whole=bool(config.get("train", {}).get("folds")),
                chose_epoch=self.metadata.stage == "finetune" or not is_solved,
            )
        return None

    def predict(
        self, paths: Iterable[Path], console: Console | None = None, total: int | None = None
    ) -> Iterator[Prediction]:
        """Answer for photo files in the order of their paths; memory does not grow with them.

        Args:
            paths: photo files, taken as they are needed.
            console: where progress is shown; None shows none.
            total: how many there are; None where it is not known, or where `paths` says it.
        """
        for path, answer in self._answer(paths, console, total):
            yield Prediction(**vars(answer), path=path)

    def answer(self, photos: Iterable[Photo], console: Console | None = None) -> Iterator[Answer]:
        """Answer for photos in any form, as `predict` does for files."""
        for _, answer in self._answer(photos, console, None):
            yield answer

    def _answer(
        self, photos: Iterable[AnyPhoto], console: Console | None, total: int | None
    ) -> Iterator[tuple[AnyPhoto, Answer]]:
        self._refuse_other_process()
        if isinstance(photos, Sized):
            total = len(photos)
        self._warn = console.warn if console else lambda _: None
        batches = decode_each(
            lambda item: self.pixels(item[1]),
            enumerate(photos),
            min(self._engine.batch_size, total or self._engine.batch_size),
            num_decode_threads(0),
        )
        progress = console.task("predicting", total) if console else nullcontext()
        with progress as task:
            for batch, outputs in answer_batches(self._engine, batches):
                answers = {
                    position: (photo, Answer({}, reason))
                    for (position, photo), reason in batch.failures
                }
                if outputs:
                    computed = self._as_answers(outputs)
                    for (position, photo), answer in zip(batch.positions, computed, strict=True):
                        answers[position] = photo, answer
                if task is not None:
                    task.advance(len(answers))
                for position in sorted(answers):
                    yield answers[position]

    def pixels(self, photo: Photo) -> np.ndarray:
        """A photo as the network takes it: uint8 `(height, width, 3)`, RGB.

        Raises:
            DataError: it cannot be read; the message gives the reason alone.
        """
        return read_any(photo, self.image_size, self.fit)

    def answers_to(self, images: np.ndarray) -> list[Answer]:
        """Answer for photos that are prepared already.

        Args:
            images: uint8 `(n, height, width, 3)`, as `pixels` gives each.
        """
        self._refuse_other_process()
        return self._as_answers(self._engine.outputs(images))

    def _as_answers(self, outputs: Sequence[np.ndarray]) -> list[Answer]:
        """What the engine gave for some photos, as answers."""
        rows = self.as_probabilities(outputs[-1])
        if self.known is None:
            return [Answer(self._ranked(row)) for row in rows]
        pooled = outputs[0].reshape(len(rows), -1)
        return [
            Answer(
                self._ranked(row),
                strangeness=float(strangeness),
                refused_as=self.neither if is_refused(strangeness, self.unknown) else "",
            )
            for row, strangeness in zip(rows, self.known.strangeness(pooled, rows), strict=True)
        ]

    def _ranked(self, row: np.ndarray) -> dict[str, float]:
        """Probabilities, float `(classes,)`, by class name, the most probable first."""
        order = np.argsort(-row, kind="stable")
        return {self.class_names[index]: float(row[index]) for index in order}

    def as_probabilities(self, rows: np.ndarray) -> np.ndarray:
        """What the model's last layer gave, `(n, units)`, as probabilities, float `(n, classes)`.

        Raises:
            ModelFileError: these are none.
        """
        if self.metadata is not None:
            return rows
        rows = rows.astype(np.float32)
        if rows.shape[1] < len(self.class_names):  # one sigmoid unit: how much of the second class
            rows = np.concatenate([1 - rows, rows], axis=1)
        if not (rows.min() >= 0 and abs(rows.sum(axis=1) - 1).max() <= _SUM_TOLERANCE):
            shown = ", ".join(f"{value:.3g}" for value in rows[0, :5])
            raise ModelFileError(
                f"{self.path} gives {shown}, which are no probabilities that sum to 1: "
                "end it in a softmax, or in one sigmoid unit for two classes"
            )
        return rows
