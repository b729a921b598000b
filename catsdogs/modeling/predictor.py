"""A saved model and photo files to probabilities: one way for every command that asks."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from pydantic import ValidationError

from catsdogs.config import DataConfig
from catsdogs.data.batches import decode_ahead, fill_batch, num_decode_threads
from catsdogs.data.images import read_photo
from catsdogs.modeling.model_file import Metadata, load_model
from catsdogs.modeling.precision import choose_precision
from catsdogs.modeling.sources import TRUNK_BATCH_SIZE
from catsdogs.modeling.training import Console


@dataclass(frozen=True)
class Prediction:
    """The answer for one photo.

    Attributes:
        path: as it was asked for.
        probabilities: class names to probabilities, most probable first; empty where the
            photo could not be read.
        error: why it could not be read; empty otherwise.
    """

    path: Path
    probabilities: dict[str, float]
    error: str = ""

    @property
    def class_name(self) -> str:
        """The most probable class; empty where the photo could not be read."""
        return next(iter(self.probabilities), "")


class Predictor:
    """A loaded model that answers for photo files.

    Args:
        model_path: a file that `catsdogs train` or `finetune` wrote.
        precision: as in the configuration.

    Attributes:
        model: the classifier.
        metadata: what the file says about itself.
        class_names: in the order of the output.
        image_size: height and width in pixels that photos are brought to.

    Raises:
        ModelFileError: the file is missing, damaged, or not one of ours.
    """

    model: keras.Model
    metadata: Metadata
    class_names: tuple[str, ...]
    image_size: tuple[int, int]

    def __init__(self, model_path: Path, precision: str = "auto") -> None:
        self.model, self.metadata = load_model(model_path, choose_precision(precision).policy)
        self.class_names = self.metadata.class_names
        self.image_size = self.metadata.image_size

    @property
    def trained_on(self) -> DataConfig | None:
        """Where the training photos lay and how they were split; None where that is not known."""
        try:
            section = self.metadata.config["data"]
            return DataConfig(
                dir=section["dir"], validation_fraction=section["validation_fraction"]
            )
        except (KeyError, TypeError, ValidationError):
            return None

    def predict(self, paths: Sequence[Path], console: Console | None) -> Iterator[Prediction]:
        """Answer for photos in the order of their paths; memory does not grow with them.

        Args:
            paths: photo files, one or more.
            console: where progress is shown; None shows none.
        """
        batch_size = min(TRUNK_BATCH_SIZE, len(paths))
        size = self.image_size
        batches = decode_ahead(
            lambda position: read_photo(paths[position], size),
            len(paths),
            batch_size,
            num_decode_threads(0),
        )
        progress = console.task("predicting", len(paths)) if console else nullcontext()
        with progress as task:
            for batch in batches:
                answers = {
                    position: Prediction(paths[position], {}, reason)
                    for position, reason in batch.failures
                }
                if batch.positions:
                    rows = np.asarray(
                        self.model.predict_on_batch(fill_batch(batch.images, batch_size))
                    )
                    for position, row in zip(batch.positions, rows, strict=False):
                        answers[position] = Prediction(paths[position], self._ranked(row))
                if task is not None:
                    task.advance(len(answers))
                for position in sorted(answers):
                    yield answers[position]

    def _ranked(self, row: np.ndarray) -> dict[str, float]:
        order = np.argsort(-row, kind="stable")
        return {self.class_names[index]: float(row[index]) for index in order}
