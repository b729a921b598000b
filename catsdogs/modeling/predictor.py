"""A saved model and photo files to probabilities: one way for every command that asks."""

from collections.abc import Iterable, Iterator, Sized
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catsdogs.data.batches import decode_each, num_decode_threads
from catsdogs.data.images import read_photo
from catsdogs.modeling.forward import ForwardPass, forward_batch_size
from catsdogs.modeling.model_file import Metadata, load_model
from catsdogs.modeling.precision import choose_precision
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
        metadata: what the file says about itself.
        class_names: in the order of the output.
        image_size: height and width in pixels that photos are brought to.

    Raises:
        ModelFileError: the file is missing, damaged, or not one of ours.
    """

    metadata: Metadata
    class_names: tuple[str, ...]
    image_size: tuple[int, int]

    def __init__(self, model_path: Path, precision: str = "auto") -> None:
        self._model, self.metadata = load_model(model_path, choose_precision(precision).policy)
        self.class_names = self.metadata.class_names
        self.image_size = self.metadata.image_size

    def predict(
        self, paths: Iterable[Path], console: Console | None, total: int | None = None
    ) -> Iterator[Prediction]:
        """Answer for photos in the order of their paths; memory does not grow with them.

        Args:
            paths: photo files, taken as they are needed.
            console: where progress is shown; None shows none.
            total: how many there are; None where it is not known, or where `paths` says it.
        """
        if isinstance(paths, Sized):
            total = len(paths)
        size = self.image_size
        batch_size = forward_batch_size(size)
        batch_size = min(batch_size, total or batch_size)
        forward = ForwardPass(self._model, console.warn if console else lambda _: None)
        batches = decode_each(
            lambda item: read_photo(item[1], size),
            enumerate(paths),
            batch_size,
            num_decode_threads(0),
        )
        progress = console.task("predicting", total) if console else nullcontext()
        with progress as task:
            for batch, rows in forward.over(batches, batch_size):
                answers = {
                    (position, path): Prediction(path, {}, reason)
                    for (position, path), reason in batch.failures
                }
                if rows is not None:
                    for (position, path), row in zip(batch.positions, rows, strict=True):
                        answers[position, path] = Prediction(path, self._ranked(row))
                if task is not None:
                    task.advance(len(answers))
                for item in sorted(answers):
                    yield answers[item]

    def _ranked(self, row: np.ndarray) -> dict[str, float]:
        order = np.argsort(-row, kind="stable")
        return {self.class_names[index]: float(row[index]) for index in order}
