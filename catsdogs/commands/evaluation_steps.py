"""What evaluate and compare have in common: labelled photos, answers, figures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from catsdogs.console import Console
from catsdogs.data.evaluation_set import LabelledPhotos, find_labelled_photos
from catsdogs.data.skipping import NUM_NAMED, together_by_reason
from catsdogs.errors import DataError, ModelFileError
from catsdogs.evaluation.coverage import USUAL_SHARE, refusal, risk_curve
from catsdogs.evaluation.figures import Evaluation, evaluate_predictions
from catsdogs.model.answer import Prediction
from catsdogs.model.predictor import Predictor
from catsdogs.model.refusal import is_refused
from catsdogs.text import some_of


def load_photos(root: Path, predictors: Sequence[Predictor], console: Console) -> LabelledPhotos:
    """Find the photos to evaluate models on, and say which ones they are.

    Args:
        root: as `find_labelled_photos` takes it.
        predictors: of the models, which know the same classes.
        console: is told what is left out and what makes the figures worth less.
    """
    for line in {p.choice.warning for p in predictors if p.choice.warning}:
        console.warn(line)
    trained_on = [known for p in predictors if (known := p.trained_on)]
    mapping = {
        label: name for known in reversed(trained_on) for label, name in known.data.classes.items()
    }
    photos = find_labelled_photos(root, predictors[0].class_names, trained_on, mapping)
    for note in photos.notes:
        console.note(note)
    for warning in photos.warnings:
        console.warn(warning)
    return photos


def report_unreadable(
    predictions: Sequence[Prediction], photos: LabelledPhotos, console: Console
) -> tuple[tuple[Path, str], ...]:
    """Name the photos that could not be read, and give them back with the reason.

    Raises:
        DataError: there are no others.
    """
    unreadable = tuple((p.path, p.error) for p in predictions if p.error)
    if len(unreadable) == len(predictions):
        path, reason = unreadable[0]
        raise DataError(f"no photo of {photos.folder} can be read, e.g. {path}: {reason}")
    for reason, paths in together_by_reason(unreadable).items():
        if len(paths) == 1:
            console.warn(f"{paths[0]} is not counted: {reason}")
        else:
            console.warn(
                f"{len(paths):,} photos are not counted: {some_of(paths, NUM_NAMED)} ({reason})"
            )
    return unreadable


def judge(
    model_path: Path,
    class_names: Sequence[str],
    predictions: Sequence[Prediction],
    labels: Sequence[str],
    temperature: float = 1.0,
    trained_on: bool = False,
) -> Evaluation:
    """Compare a model's answers with what the photos are; those without an answer do not count.

    Args:
        model_path: for the message.
        class_names: in the order in which the figures shall have them.
        predictions: one or more of them with an answer.
        labels: the class of each photo, by name.
        temperature: as in the model's metadata.
        trained_on: as in `LabelledPhotos`.

    Raises:
        ModelFileError: the model answers with something that is no probability.
    """
    paths, indices, probabilities = gather(class_names, predictions, labels)
    if not np.isfinite(probabilities).all():
        raise ModelFileError(
            f"{model_path} answers with probabilities that are no numbers: train it again, "
            "or compute in float32",
            key="precision",
        )
    return evaluate_predictions(paths, indices, probabilities, class_names, temperature, trained_on)


def with_refusal(
    evaluation: Evaluation,
    predictor: Predictor,
    predictions: Sequence[Prediction],
    labels: Sequence[str],
) -> Evaluation:
    """The evaluation with what it costs and gains to refuse the strangest photos.

    Args:
        evaluation: as `judge` gives it.
        predictor: what answered; where it refuses nothing, it is looked at with the usual share.
        predictions: as for `judge`.
        labels: likewise.
    """
    _, indices, probabilities = gather(predictor.class_names, predictions, labels)
    correct = probabilities.argmax(axis=1) == indices
    known, share = predictor.known, predictor.unknown or USUAL_SHARE
    if known is None:
        curve = risk_curve(correct, probabilities.max(axis=1), None)
        return replace(evaluation, risk_curve=curve)
    strangeness = np.array([p.strangeness for p in predictions if not p.error], float)
    curve = risk_curve(correct, probabilities.max(axis=1), strangeness)
    if share < known.least_share:
        return replace(evaluation, risk_curve=curve)
    refused = [is_refused(value, share) for value in strangeness]
    return replace(evaluation, refusal=refusal(correct, refused, share), risk_curve=curve)


def gather(
    class_names: Sequence[str], predictions: Sequence[Prediction], labels: Sequence[str]
) -> tuple[list[Path], np.ndarray, np.ndarray]:
    """Put the answers together, those without one left out.

    Args:
        class_names: in the order of the columns.
        predictions: one or more of them with an answer.
        labels: the class of each photo, by name.

    Returns:
        The photos; what they are, `(n,)`, indices of classes; probabilities `(n, classes)`.
    """
    answered = [(p, label) for p, label in zip(predictions, labels, strict=True) if not p.error]
    return (
        [prediction.path for prediction, _ in answered],
        np.array([class_names.index(label) for _, label in answered]),
        np.array([[p.probabilities[name] for name in class_names] for p, _ in answered]),
    )
