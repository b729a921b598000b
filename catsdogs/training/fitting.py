"""The epochs: fit, validate, keep the best, stop early."""

import time
from typing import Protocol

import keras
import numpy as np

from catsdogs.console import Console, Task, format_duration
from catsdogs.errors import DivergedError
from catsdogs.network.device import answering_out_of_memory
from catsdogs.text import counted
from catsdogs.training.history import Epoch, History, Progress
from catsdogs.training.model_state import ModelState, trained_weights
from catsdogs.training.objective import LOG_LOSS, compile_for, giving_logits
from catsdogs.training.plan import TrainingPlan
from catsdogs.training.supervision import StopRequested, Supervision


class EpochBatches(Protocol):
    """Gives each epoch's batches.

    Attributes:
        model: takes the batches, gives probabilities; shares the classifier's variables.
        num_training: photos in an epoch, known once it is prepared.
        num_validation: likewise.
        num_frozen: photos and views that went through the frozen layers so far, to be kept.
        frozen_seconds: wall time of that.
    """

    model: keras.Model
    num_frozen: int
    frozen_seconds: float

    @property
    def num_training(self) -> int: ...

    @property
    def num_validation(self) -> int: ...

    def prepare(self, epoch: int) -> None:
        """Make ready for an epoch, from 1; 0 prepares validation alone."""

    def training_batches(self, epoch: int) -> keras.utils.PyDataset:
        """Batches of an epoch, from 1, in its order."""

    def validation_batches(self) -> keras.utils.PyDataset:
        """Batches of the validation photos, never augmented."""


def fit_epochs(
    batches: EpochBatches,
    plan: TrainingPlan,
    console: Console,
    supervision: Supervision | None = None,
) -> History:
    """Train for the planned epochs and leave the kept epoch's weights in the model.

    Args:
        batches: the model and its batches.
        plan: how to train.
        console: gets each step's and each epoch's figures.
        supervision: where the training goes on, and who may end it.

    Raises:
        StopRequested: it was asked to stop before the first epoch had ended.
        OutOfMemoryError: the device's memory is too small for a step.
        DivergedError: a loss or a weight is NaN or infinite.
    """
    supervision = supervision or Supervision()
    progress = supervision.progress
    compile_for(batches.model, plan.learning_rate, plan.class_weights)
    if progress.state is not None:
        progress.state.restore(batches.model)
    too_much = (
        f"for steps of {plan.batch_size} photos: give a smaller {plan.section}.batch_size, "
        f"for example {max(1, plan.batch_size // 2)}"
    )
    interrupted = False
    try:
        with giving_logits(batches.model), answering_out_of_memory(too_much):
            _run_epochs(batches, plan, console, supervision)
    except StopRequested:
        if not progress.epochs:
            raise
        interrupted = True
    for variable, value in zip(trained_weights(batches.model), progress.kept_weights, strict=True):
        variable.assign(value)
    return progress.history(plan, interrupted)


def _run_epochs(
    batches: EpochBatches, plan: TrainingPlan, console: Console, supervision: Supervision
) -> None:
    """Run the epochs that are left, and keep in `supervision.progress` what they give."""
    progress, model = supervision.progress, batches.model
    num_frozen, frozen_seconds = progress.num_frozen, progress.frozen_seconds
    first = progress.epochs[-1].number + 1 if progress.epochs else int(not plan.start_counts)
    for number in range(first, plan.epochs + 1):
        if progress.is_out_of_patience(plan):
            break
        start = time.perf_counter()
        _seed_draws(plan.seed, number)
        batches.prepare(number)
        rate = plan.learning_rate * plan.rate_share(max(1, number))
        training = _train_epoch(batches, number, plan, rate, console, supervision) if number else {}
        validation = _validate(batches, supervision)
        epoch = Epoch(
            number=number,
            learning_rate=rate if number else 0.0,
            loss=training.get(LOG_LOSS),
            accuracy=training.get("accuracy"),
            validation_loss=validation[LOG_LOSS],
            validation_accuracy=validation["accuracy"],
            seconds=time.perf_counter() - start,
        )
        state = ModelState.of(model)
        _check_finite(epoch, state, plan)
        console.note(_describe(epoch, plan, progress))
        progress.epochs.append(epoch)
        progress.state = state
        if plan.keep == "last" or progress.best is epoch:
            progress.kept_weights = progress.state.weights
        progress.num_frozen = num_frozen + batches.num_frozen
        progress.frozen_seconds = frozen_seconds + batches.frozen_seconds
        supervision.on_epoch(progress.history(plan))
    if progress.is_out_of_patience(plan):
        waited = counted(plan.patience, "epoch")
        console.note(f"stopped early: {waited} without a better validation loss")
    elif progress.is_still_falling:
        console.note(
            f"the validation loss was still falling: more than {counted(plan.epochs, 'epoch')} "
            f"would help ({plan.section}.epochs)"
        )


def _seed_draws(seed: int, number: int) -> None:
    """Let an epoch after a break draw what it would have drawn anyway.

    Whatever draws has a state of its own, which `ModelState` keeps, but for dropout without a
    seed on PyTorch. On TensorFlow a new seed costs 0.15 s: its compiled graphs are forgotten.
    """
    if keras.backend.backend() == "torch":
        drawn = np.random.SeedSequence([seed, number]).generate_state(1)[0]
        keras.utils.set_random_seed(int(drawn))


def _check_finite(epoch: Epoch, state: ModelState, plan: TrainingPlan) -> None:
    """Refuse an epoch that gave numbers that are NaN or infinite.

    Raises:
        DivergedError: a figure is NaN or infinite.
    """
    losses = [loss for loss in (epoch.loss, epoch.validation_loss) if loss is not None]
    if np.isfinite(losses).all() and all(np.isfinite(value).all() for value in state.weights):
        return
    if not epoch.number:
        raise DivergedError(
            f"the loss of the model as it was is {epoch.validation_loss:g}: its weights are "
            "damaged, train it anew"
        )
    key = f"{plan.section}.learning_rate"
    raise DivergedError(
        f"the training diverged in epoch {epoch.number} (loss {losses[0]:g}, validation loss "
        f"{losses[-1]:g}): choose a smaller {key} than {plan.learning_rate:g}",
        key=key,
    )


def _train_epoch(
    batches: EpochBatches,
    number: int,
    plan: TrainingPlan,
    rate: float,
    console: Console,
    supervision: Supervision,
) -> dict[str, float]:
    """One pass over the training photos; loss and accuracy over them."""
    batches.model.optimizer.learning_rate = rate
    title = f"epoch {number}/{plan.epochs}"
    with console.task(title, batches.num_training, plan.batch_size) as task:
        history = batches.model.fit(
            batches.training_batches(number),
            shuffle=False,  # the batches come in the epoch's own seeded order
            verbose=0,
            callbacks=[
                _StepFigures(task, plan.batch_size, batches.num_training),
                _Stop(supervision),
            ],
        ).history
    supervision.stop_if_asked()
    return {name: float(values[-1]) for name, values in history.items()}


def _validate(batches: EpochBatches, supervision: Supervision) -> dict[str, float]:
    """Loss and accuracy over the validation photos."""
    figures = batches.model.evaluate(
        batches.validation_batches(),
        verbose=0,
        return_dict=True,
        callbacks=[_Stop(supervision)],
    )
    supervision.stop_if_asked()
    return {name: float(value) for name, value in figures.items()}


class _StepFigures(keras.callbacks.Callback):
    """Hands the running loss and accuracy on after each step."""

    def __init__(self, task: Task, batch_size: int, num_photos: int) -> None:
        super().__init__()
        self._task = task
        self._batch_size = batch_size
        self._left = num_photos

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        count = min(self._batch_size, self._left)
        self._left -= count
        figures = logs or {}
        self._task.advance(count, loss=figures[LOG_LOSS], accuracy=figures["accuracy"])


class _Stop(keras.callbacks.Callback):
    """Ends the pass over the photos after the step in which that was asked for."""

    def __init__(self, supervision: Supervision) -> None:
        super().__init__()
        self._supervision = supervision

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._supervision.should_stop():
            self.model.stop_training = True

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._supervision.should_stop():
            self.model.stop_evaluating = True


def _describe(epoch: Epoch, plan: TrainingPlan, progress: Progress) -> str:
    validation = (
        f"validation loss {epoch.validation_loss:.4f} accuracy {epoch.validation_accuracy:.4f}"
    )
    if not epoch.number:
        what = "with the new head" if progress.as_it_was else "as it was"
        return f"epoch 0/{plan.epochs}  {what}  {validation}"
    return (
        f"epoch {epoch.number}/{plan.epochs}  loss {epoch.loss:.4f}  {validation}  "
        f"{format_duration(epoch.seconds)}"
    )
