"""`catsdogs predict`: name what is in new photos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from catsdogs.data.photo_paths import find_photos
from catsdogs.modeling.predictor import Prediction, Predictor
from catsdogs.reporting.console import Console


@dataclass(frozen=True)
class PredictResult:
    """What will be answered.

    Attributes:
        class_names: in the order of the model's output.
        num_photos: how many answers there will be.
        predictions: one for each photo, in the order asked for, computed as they are taken.
    """

    class_names: tuple[str, ...]
    num_photos: int
    predictions: Iterator[Prediction]


def predict(
    arguments: Sequence[str],
    model_path: Path,
    precision: str,
    console: Console | None,
    class_names: Sequence[str] | None = None,
) -> PredictResult:
    """Answer for files, folders and globs.

    Args:
        arguments: as `find_photos` takes them.
        model_path: a file that `catsdogs train` or `finetune` wrote, or one of plain Keras.
        precision: as in the configuration.
        console: where progress is shown; None shows none.
        class_names: of a plain Keras file, in the order of its output.

    Raises:
        CatsdogsError: the model or a path cannot be used. A photo that cannot be read is an
            answer with a reason instead.
    """
    photos = find_photos(arguments)
    predictor = Predictor(model_path, precision, class_names)
    return PredictResult(predictor.class_names, len(photos), predictor.predict(photos, console))
