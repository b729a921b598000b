"""`catsdogs predict`: name what is in new photos."""

import glob
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catsdogs.data.batches import decode_ahead, fill_batch, num_decode_threads
from catsdogs.data.dataset import list_photos
from catsdogs.data.images import read_photo
from catsdogs.errors import DataError
from catsdogs.modeling.model_file import load_model
from catsdogs.modeling.precision import choose_precision
from catsdogs.modeling.sources import TRUNK_BATCH_SIZE
from catsdogs.reporting.console import Console


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


def find_photos(arguments: Sequence[str]) -> list[Path]:
    """Files, folders and globs to photo paths, in the order of the arguments.

    Raises:
        DataError: a path is missing, a glob matches nothing, a folder holds no photos.
    """
    paths = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = list_photos(path)
            if not found:
                raise DataError(
                    f"{path} holds no photos: expected jpg, png, webp, gif, bmp or tiff"
                )
            paths += found
        elif path.exists():
            paths.append(path)
        elif glob.has_magic(argument):
            matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - Path has no ** from a root
            if not matches:
                raise DataError(f"{argument} matches no file")
            paths += find_photos(matches)
        else:
            raise DataError(f"{argument} does not exist")
    return paths


class Predictor:
    """A loaded model that answers for photo files.

    Args:
        model_path: a file that `catsdogs train` or `finetune` wrote.
        precision: as in the configuration.

    Raises:
        ModelFileError: the file is missing, damaged, or not one of ours.
    """

    def __init__(self, model_path: Path, precision: str = "auto") -> None:
        self._model, self.metadata = load_model(model_path, choose_precision(precision).policy)

    def predict(self, paths: Sequence[Path], console: Console | None) -> Iterator[Prediction]:
        """Answer for photos in the order of their paths; memory does not grow with them.

        Args:
            paths: photo files, one or more.
            console: where progress is shown; None shows none.
        """
        batch_size = min(TRUNK_BATCH_SIZE, len(paths))
        size = self.metadata.image_size
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
                        self._model.predict_on_batch(fill_batch(batch.images, batch_size))
                    )
                    for position, row in zip(batch.positions, rows, strict=False):
                        answers[position] = Prediction(paths[position], self._ranked(row))
                if task is not None:
                    task.advance(len(answers))
                for position in sorted(answers):
                    yield answers[position]

    def _ranked(self, row: np.ndarray) -> dict[str, float]:
        order = np.argsort(-row, kind="stable")
        return {self.metadata.class_names[index]: float(row[index]) for index in order}
