"""`catsdogs evaluate`: how good a model is on photos whose class is known."""

from dataclasses import dataclass
from pathlib import Path

from catsdogs.commands.evaluation_steps import (
    judge,
    load_photos,
    report_unreadable,
    with_refusal,
)
from catsdogs.console import Console
from catsdogs.evaluation.figures import Evaluation
from catsdogs.files import check_writable
from catsdogs.model.predictor import ModelRequest, Predictor
from catsdogs.reporting.predictions import LABELLED_START, save_labelled_predictions

_KEY = "predictions"


@dataclass(frozen=True)
class EvaluateResult:
    """How good a model is on the photos of a folder.

    Attributes:
        model_path: as it was given.
        folder: the one whose photos were evaluated.
        evaluation: all figures, over the photos that could be read.
        unreadable: the others, with the reason.
    """

    model_path: Path
    folder: Path
    evaluation: Evaluation
    unreadable: tuple[tuple[Path, str], ...]


def evaluate(
    root: Path,
    model: ModelRequest,
    predictions_path: Path | None,
    console: Console,
) -> EvaluateResult:
    """Hold a model against the test photos of a folder, else against its validation photos.

    Args:
        root: as `find_labelled_photos` takes it.
        model: which one.
        predictions_path: a CSV to write with the answer for each photo; None writes none.
        console: where progress is shown.

    Raises:
        CatsdogsError: the model or the folder cannot be used, or no photo can be read.
    """
    if predictions_path is not None:
        check_writable(predictions_path, _KEY, ".csv", LABELLED_START)
    return measure(Predictor(model, can_explain=False), root, predictions_path, console)


def measure(
    predictor: Predictor,
    root: Path,
    predictions_path: Path | None,
    console: Console,
) -> EvaluateResult:
    """Hold a loaded model against labelled photos; otherwise as `evaluate`."""
    names = predictor.class_names
    photos = load_photos(root, [predictor], console)
    predictions = list(predictor.predict(photos.paths, console))
    unreadable = report_unreadable(predictions, photos, console)
    evaluation = judge(
        predictor.path, names, predictions, photos.labels, predictor.temperature, photos.trained_on
    )
    evaluation = with_refusal(evaluation, predictor, predictions, photos.labels)
    if predictions_path is not None:
        save_labelled_predictions(
            predictions_path, predictions, photos.labels, names, _KEY, bool(predictor.unknown)
        )
    return EvaluateResult(predictor.path, photos.folder, evaluation, unreadable)
