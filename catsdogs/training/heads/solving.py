"""Put a solved head into a classifier, with the record that a training in epochs leaves."""

import time
from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np

from catsdogs.console import Console
from catsdogs.data.dataset import TRAIN, VALIDATION
from catsdogs.errors import DataError
from catsdogs.training.cross_validation import assign_folds, cross_validate
from catsdogs.training.epochs import FeatureEpochs, Photos
from catsdogs.training.fitting import Supervision, compile_for
from catsdogs.training.heads.logistic import LinearHead, fit_logistic, log_losses
from catsdogs.training.history import Epoch, History, TrainingPlan
from catsdogs.training.model_state import ModelState, Values, trained_weights


def solve_head(
    source: FeatureEpochs,
    plan: TrainingPlan,
    console: Console,
    supervision: Supervision | None = None,
) -> History:
    """Solve the one dense layer above the pooling, on the training photos as they are.

    What is solved counts as epoch 1. Where the start counts as well, the one of the two with the
    better validation loss is left in the model.

    Args:
        source: the photos' features; its model is a dense layer with a softmax.
        plan: whether the start counts, and what the classes weigh.
        console: gets the figures.
        supervision: where an interrupted training goes on, and who may end it.

    Raises:
        StoreError: the features cannot be kept.
        StopRequested: it was asked to stop before the features were there.
    """
    supervision = supervision or Supervision()
    progress, model = supervision.progress, source.model
    compile_for(model, plan.learning_rate, plan.class_weights)
    if progress.state is not None:  # it had been solved before the break
        _assign(model, progress.kept_weights)
        return progress.history(plan)
    begun = time.perf_counter()
    source.prepare(1)
    known, asked = source.photos(TRAIN), source.photos(VALIDATION)
    kernel, bias = model.layers[-1].get_weights()
    if plan.start_counts:
        as_it_was = LinearHead(kernel, bias, strength=0.0)
        epoch = _epoch(0, as_it_was, None, asked, plan, time.perf_counter() - begun)
        progress.epochs.append(epoch)
        progress.kept_weights = ModelState.of(model).weights
        console.note(f"epoch 0/1  as it was  {_validation(epoch)}")
    balanced = bool(plan.class_weights)
    head = fit_logistic(known.features, known.labels, len(bias), known.contents, balanced)
    _assign(model, [head.kernel, head.bias])
    epoch = _epoch(1, head, known, asked, plan, time.perf_counter() - begun)
    if plan.folds:
        epoch = _cross_validated(epoch, known, plan, console)
    console.note(
        f"logistic head, C = {head.strength:.3g}  loss {epoch.loss:.4f} accuracy "
        f"{epoch.accuracy:.4f}  {_validation(epoch)}  {epoch.seconds:.1f} s"
    )
    progress.epochs.append(epoch)
    progress.state = ModelState.of(model)
    if progress.best is epoch or plan.keep == "last":
        progress.kept_weights = progress.state.weights
    progress.num_frozen += source.num_frozen
    progress.frozen_seconds += source.frozen_seconds
    supervision.on_epoch(progress.history(plan))
    _assign(model, progress.kept_weights)
    return progress.history(plan)


def _cross_validated(epoch: Epoch, photos: Photos, plan: TrainingPlan, console: Console) -> Epoch:
    """The epoch with the figures of the folds in place of those of photos that were trained on."""
    begun, labels = time.perf_counter(), photos.labels
    logits, folds = answer_in_folds(photos, plan.folds, bool(plan.class_weights))
    right = logits.argmax(axis=1) == labels
    of_folds = [f"{right[folds == fold].mean():.4f}" for fold in np.unique(folds)]
    console.note(f"accuracy of each fold: {', '.join(of_folds)}")
    of_classes = [
        f"{name} {right[labels == label].mean():.4f}"
        for label, name in enumerate(photos.class_names)
    ]
    console.note(f"accuracy of each class: {', '.join(of_classes)}")
    loss, accuracy = _figures(logits, labels, plan)
    return replace(
        epoch,
        validation_loss=loss,
        validation_accuracy=accuracy,
        seconds=epoch.seconds + time.perf_counter() - begun,
    )


def answer_in_folds(
    photos: Photos, num_folds: int, balanced: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Answer for every photo by a head that was solved without its fold, copies never split.

    Args:
        photos: their features.
        num_folds: two or more.
        balanced: every class weighs the same in the loss.

    Returns:
        Logits, float64 `(n, classes)`; and the fold of each photo, int `(n,)`.

    Raises:
        DataError: all photos are copies of one.
    """
    features, labels, contents = photos.features, photos.labels, photos.contents
    num_classes = len(photos.class_names)
    folds = assign_folds(labels, contents, num_folds)
    if len(np.unique(folds)) < 2:
        raise DataError("the photos are copies of one: no fold can be answered for by another")

    def fit(known: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        groups = [contents[index] for index in known]
        return fit_logistic(features[known], labels[known], num_classes, groups, balanced).logits

    return cross_validate(features, labels, folds, num_classes, fit), folds


def _assign(model: keras.Model, weights: Values) -> None:
    for variable, value in zip(trained_weights(model), weights, strict=True):
        variable.assign(value)


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
        loss, accuracy = _figures(head.logits(known.features), known.labels, plan)
    figures = _figures(head.logits(asked.features), asked.labels, plan)
    return Epoch(number, 0.0, loss, accuracy, *figures, seconds)


def _figures(logits: np.ndarray, labels: np.ndarray, plan: TrainingPlan) -> tuple[float, float]:
    """Loss, weighed by class as the plan says, and accuracy, which is not."""
    losses = log_losses(logits.astype(np.float64), labels)
    if plan.class_weights:
        losses = losses * np.array(plan.class_weights)[labels]
    return float(losses.mean()), float((logits.argmax(axis=1) == labels).mean())


def _validation(epoch: Epoch) -> str:
    return f"validation loss {epoch.validation_loss:.4f} accuracy {epoch.validation_accuracy:.4f}"
