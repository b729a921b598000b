"""Solve a head on stored features, with the record that a training in epochs leaves."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from catsdogs.console import Console, format_duration
from catsdogs.data.layout import TRAIN, VALIDATION
from catsdogs.evaluation.log_loss import log_losses, softmax
from catsdogs.training.cross_validation import (
    OutOfFold,
    assign_folds,
    cross_validate,
    require_two_folds,
)
from catsdogs.training.heads.logistic import LinearHead, fit_logistic
from catsdogs.training.history import Epoch, History
from catsdogs.training.model_state import ModelState, Values
from catsdogs.training.photo_answers import TrainedOnFeatures
from catsdogs.training.photo_features import PhotoFeatures, Photos, TrainingSetup
from catsdogs.training.plan import TrainingPlan
from catsdogs.training.supervision import Supervision

_MOST_NAMED = 10
"""Classes whose accuracy is said in one line."""


def solve_head(
    source: PhotoFeatures,
    start: Values,
    plan: TrainingPlan,
    console: Console,
    supervision: Supervision | None = None,
) -> History:
    """Solve the one dense layer above the pooling, on the training photos as they are.

    What is solved counts as epoch 1. Where the start counts as well, the one of the two with the
    better validation loss is kept: its kernel and bias stand in the progress.

    Args:
        source: the photos' features.
        start: kernel float32 `(features, classes)` and bias float32 `(classes,)` before.
        plan: whether the start counts, and what the classes weigh.
        console: gets the figures.
        supervision: where an interrupted training goes on, and who may end it.

    Raises:
        StoreError: the features cannot be kept.
        StopRequested: it was asked to stop before the head was solved.
    """
    supervision = supervision or Supervision()
    progress = supervision.progress
    begun = time.perf_counter()
    source.prepare(1)
    known = source.photos(TRAIN)
    if progress.state is not None:  # it had been solved before the break
        source.out_of_fold = _out_of_fold(known, plan, supervision.stop_if_asked)
        return progress.history(plan)
    asked = source.photos(VALIDATION)
    epochs: list[Epoch] = []
    if plan.start_counts:
        as_it_was = LinearHead(start[0], start[1], strength=0.0)
        epochs.append(_epoch(0, as_it_was, None, asked, plan, time.perf_counter() - begun))
        console.note(f"epoch 0/1  as it was  {_validation(epochs[0])}")
    with console.task("solving", what="steps") as task:

        def on_step() -> None:
            supervision.stop_if_asked()
            task.advance(1)

        head = fit_logistic(
            known.features,
            known.labels,
            len(known.class_names),
            known.units,
            bool(plan.class_weights),
            on_step,
            known.weights,
        )
        source.out_of_fold = _out_of_fold(known, plan, on_step)
    epoch = _epoch(1, head, known, asked, plan, time.perf_counter() - begun)
    if source.out_of_fold:
        epoch = replace(
            _cross_validated(epoch, known, source.out_of_fold, plan, console),
            seconds=time.perf_counter() - begun,
        )
    console.note(
        f"solved, C = {head.strength:.3g}  loss {epoch.loss:.4f}  {_validation(epoch)}  "
        f"{format_duration(epoch.seconds)}"
    )
    progress.epochs[:] = [*epochs, epoch]
    progress.state = ModelState([head.kernel, head.bias])
    is_kept = progress.best is epoch or plan.keep == "last"
    progress.kept_weights = progress.state.weights if is_kept else start
    progress.num_frozen += source.num_frozen
    progress.frozen_seconds += source.frozen_seconds
    supervision.on_epoch(progress.history(plan))
    return progress.history(plan)


def solved_classifier(source: PhotoFeatures, setup: TrainingSetup) -> TrainedOnFeatures:
    """The classifier with the head that `solve_head` has kept."""
    kernel, bias = setup.supervision.progress.kept_weights

    def compute(features: np.ndarray) -> list[np.ndarray]:
        return [features, softmax(features.astype(np.float32) @ kernel + bias)]

    return TrainedOnFeatures(source.features, setup, compute, source.out_of_fold)


def _out_of_fold(
    photos: Photos, plan: TrainingPlan, stop_if_asked: Callable[[], None]
) -> OutOfFold | None:
    """What `answer_in_folds` gives; None where the plan has no folds."""
    if not plan.folds:
        return None
    return answer_in_folds(photos, plan.folds, bool(plan.class_weights), stop_if_asked)


def _cross_validated(
    epoch: Epoch,
    photos: Photos,
    answers: OutOfFold,
    plan: TrainingPlan,
    console: Console,
) -> Epoch:
    """The epoch with the figures of the folds in place of those of photos that were trained on."""
    labels, folds = photos.labels, answers.folds
    right = answers.logits.argmax(axis=1) == labels
    of_folds = [f"{right[folds == fold].mean():.4f}" for fold in np.unique(folds)]
    console.note(f"accuracy of each fold: {', '.join(of_folds)}")
    of_classes = [right[labels == label].mean() for label in range(len(photos.class_names))]
    lowest = np.argsort(of_classes, kind="stable")[:_MOST_NAMED]
    which = "each class"
    if len(of_classes) > _MOST_NAMED:
        which = f"the {_MOST_NAMED} classes that are found least often"
    else:
        lowest.sort()
    named = [f"{photos.class_names[label]} {of_classes[label]:.4f}" for label in lowest]
    console.note(f"accuracy of {which}: {', '.join(named)}")
    loss, accuracy = _figures(answers.logits, photos, plan)
    return replace(
        epoch,
        validation_loss=loss,
        validation_accuracy=accuracy,
    )


def answer_in_folds(
    photos: Photos,
    num_folds: int,
    balanced: bool,
    stop_if_asked: Callable[[], None] = lambda: None,
) -> OutOfFold:
    """Answer for every photo by a head that was solved without its fold, groups never split.

    Args:
        photos: their features.
        num_folds: two or more.
        balanced: every class weighs the same in the loss.
        stop_if_asked: called often; ends the work by what it raises.

    Raises:
        DataError: all photos are of one group, or copies of one.
    """
    features, labels, units = photos.features, photos.labels, photos.units
    num_classes = len(photos.class_names)
    folds = assign_folds(labels, units, num_folds)
    require_two_folds(folds)

    def fit(known: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        groups, weights = [units[index] for index in known], photos.weights[known]
        head = fit_logistic(
            features[known], labels[known], num_classes, groups, balanced, stop_if_asked, weights
        )
        return head.logits

    return cross_validate(features, labels, folds, num_classes, fit)


def _epoch(
    number: int,
    head: LinearHead,
    known: Photos | None,
    asked: Photos,
    plan: TrainingPlan,
    seconds: float,
) -> Epoch:
    """The figures of a head: on the photos it was solved on, if any, and on those asked for."""
    loss, accuracy = None, None
    if known:
        loss, accuracy = _figures(head.logits(known.features), known, plan)
    figures = _figures(head.logits(asked.features), asked, plan)
    return Epoch(number, 0.0, loss, accuracy, *figures, seconds)


def _figures(logits: np.ndarray, photos: Photos, plan: TrainingPlan) -> tuple[float, float]:
    """Loss, weighed by photo and, as the plan says, by class; and accuracy, which is not."""
    labels = photos.labels
    losses = log_losses(logits.astype(np.float64), labels) * photos.weights
    if plan.class_weights:
        losses = losses * np.array(plan.class_weights)[labels]
    return float(losses.mean()), float((logits.argmax(axis=1) == labels).mean())


def _validation(epoch: Epoch) -> str:
    return f"validation loss {epoch.validation_loss:.4f} accuracy {epoch.validation_accuracy:.4f}"
