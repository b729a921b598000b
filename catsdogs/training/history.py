"""What a training is planned to be, how far it has come, and what it gave."""

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from catsdogs.config import Config
from catsdogs.data.dataset import TRAIN, Dataset
from catsdogs.evaluation.score import Score
from catsdogs.run import Command
from catsdogs.training.heads.logistic import balanced_weights
from catsdogs.training.model_state import ModelState, Values

_FINAL_SHARE = 0.05
"""What the cosine leaves of the learning rate at its end."""


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.

    Attributes:
        section: of the configuration, which it comes from; for messages.
        epochs: at most so many.
        batch_size: photos in a step.
        learning_rate: of Adam, in the first epoch; it falls along a cosine.
        patience: epochs without a better validation loss before stopping; 0: never.
        keep: which epoch's weights stay, the `best` or the `last`.
        start_counts: the weights before training are epoch 0, and may be the best.
        seed: of what Keras may draw in an epoch besides dropout, which has its own.
        class_weights: what a photo of each class weighs in the losses, and in no accuracy;
            empty: all the same.
        solved: the head is solved to its optimum in one step, in place of epochs.
        folds: the validation figures of a solved head are those of so many folds of the training
            photos; 0: those of the validation photos.
    """

    section: Command
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    keep: str
    start_counts: bool
    seed: int = 0
    class_weights: tuple[float, ...] = ()
    solved: bool = False
    folds: int = 0

    @classmethod
    def of_head(cls, config: Config, dataset: Dataset) -> Self:
        """What the sections `head` and `train` say, for the photos to train on."""
        section, solved = config.train, config.head.kind == "logistic"
        return cls(
            section="train",
            epochs=1 if solved else section.epochs,
            batch_size=section.batch_size or default_batch_size(dataset.count(TRAIN)),
            learning_rate=section.learning_rate,
            patience=section.patience,
            keep=section.keep,
            start_counts=False,
            seed=config.seed,
            class_weights=_class_weights(config, dataset),
            solved=solved,
            folds=section.folds,
        )

    @classmethod
    def of_finetuning(cls, config: Config, dataset: Dataset) -> Self:
        """What the section `finetune` says, for the photos to train on."""
        section = config.finetune
        return cls(
            section="finetune",
            epochs=section.epochs,
            batch_size=section.batch_size,
            learning_rate=section.learning_rate,
            patience=section.patience,
            keep="best",
            start_counts=True,
            seed=config.seed,
            class_weights=_class_weights(config, dataset),
        )

    @classmethod
    def of_probing(cls, config: Config, dataset: Dataset, solved: bool) -> Self:
        """How the head alone is brought up to the photos before a fine-tuning.

        Args:
            config: its sections `train` and `finetune`.
            dataset: the photos to train on.
            solved: whether it is solved.
        """
        return cls(
            section="train",
            epochs=1 if solved else config.finetune.head_epochs,
            batch_size=config.train.batch_size or default_batch_size(dataset.count(TRAIN)),
            learning_rate=config.train.learning_rate,
            patience=config.finetune.patience,
            keep="best",
            start_counts=True,
            seed=config.seed,
            class_weights=_class_weights(config, dataset),
            solved=solved,
        )

    def rate_share(self, epoch: int) -> float:
        """What the cosine leaves of the learning rate in an epoch, from 1: 1 down to 0.05."""
        cosine = math.cos(math.pi * (epoch - 1) / self.epochs)
        return _FINAL_SHARE + (1 - _FINAL_SHARE) * (1 + cosine) / 2


def _class_weights(config: Config, dataset: Dataset) -> tuple[float, ...]:
    if config.head.class_weights == "none":
        return ()
    labels = np.array([sample.label for sample in dataset.splits[TRAIN]])
    return tuple(balanced_weights(labels, len(dataset.class_names)).tolist())


def default_batch_size(num_photos: int) -> int:
    """Photos in a step of the head: about 60 steps an epoch, with 4 to 32 photos each.

    Measured with a prototype of the head, on the 800 validation photos, eight seeds; in five
    epochs the kept one was chosen by the same photos. One epoch on 100 photos: steps of 4 gave an
    accuracy of 0.961 on average (0.933 at worst), steps of 8 gave 0.951 (0.863). Five epochs
    on 2,000: steps of 32 gave 0.986 (0.984), steps of 8 gave 0.984 (0.979).
    """
    return min(32, max(4, num_photos // 60))


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave. Losses in nats, accuracies 0 to 1.

    Attributes:
        number: from 1; 0 is the state before training, which has no training figures.
        learning_rate: of this epoch.
        loss: over the training photos as they were trained on, with dropout; None of epoch 0.
        accuracy: of the same; None of epoch 0.
        validation_loss: over the validation photos, after the epoch.
        validation_accuracy: of the same.
        seconds: wall time of training and validation, and of features computed for it.
    """

    number: int
    learning_rate: float
    loss: float | None
    accuracy: float | None
    validation_loss: float
    validation_accuracy: float
    seconds: float


@dataclass(frozen=True)
class History:
    """What a training gave.

    Attributes:
        epochs: all of them.
        kept: the one whose weights the model has at the end.
        num_frozen: photos and views that went through the frozen layers once, to be kept.
        frozen_seconds: wall time of that.
        interrupted: it was asked to stop before its end.
        as_it_was: the model before its head was brought up to the photos, where that made it
            better before fine-tuning; the first of the epochs is the state after it.
        calibrated_loss: validation loss of the kept epoch with its temperature; None without one.
            Epochs are compared without.
    """

    epochs: list[Epoch]
    kept: Epoch
    num_frozen: int = 0
    frozen_seconds: float = 0.0
    interrupted: bool = False
    as_it_was: Epoch | None = None
    calibrated_loss: float | None = None

    def kept_score(self, num_photos: int) -> Score:
        """Give the saved model's figures on the validation photos.

        Args:
            num_photos: how many validation photos there are, one or more.

        Returns:
            Loss, with the temperature where there is one, and accuracy of the kept epoch.
        """
        loss = self.calibrated_loss
        return Score(
            loss=self.kept.validation_loss if loss is None else loss,
            accuracy=self.kept.validation_accuracy,
            num_photos=num_photos,
        )


@dataclass
class Progress:
    """How far a training has come: all that its next epoch depends on.

    Attributes:
        epochs: those that have ended.
        state: of the model after the last of them; None before the first one's end.
        kept_weights: `ModelState.weights` of the epoch that would be kept if it ended now.
        num_frozen: photos and views that went through the frozen layers by then.
        frozen_seconds: wall time of that.
        as_it_was: as in `History`.
    """

    epochs: list[Epoch] = field(default_factory=list)
    state: ModelState | None = None
    kept_weights: Values = field(default_factory=list)
    num_frozen: int = 0
    frozen_seconds: float = 0.0
    as_it_was: Epoch | None = None

    @property
    def best(self) -> Epoch:
        """The epoch with the best validation loss, the first of equals."""
        return min(self.epochs, key=lambda epoch: epoch.validation_loss)

    def history(self, plan: TrainingPlan, interrupted: bool = False) -> History:
        """What the training would give if it ended now."""
        kept = self.best if plan.keep == "best" else self.epochs[-1]
        return History(
            self.epochs,
            kept,
            self.num_frozen,
            self.frozen_seconds,
            interrupted,
            self.as_it_was,
        )

    @property
    def is_still_falling(self) -> bool:
        """Whether the last epoch made the validation loss lower by a two-hundredth or more."""
        if len(self.epochs) < 2:
            return False
        before, last = (epoch.validation_loss for epoch in self.epochs[-2:])
        return self.best is self.epochs[-1] and last < before * (1 - 1 / 200)

    def is_out_of_patience(self, plan: TrainingPlan) -> bool:
        """Whether the validation loss has not become better for too long."""
        since_best = self.epochs[-1].number - self.best.number if self.epochs else 0
        return bool(plan.patience) and since_best >= plan.patience
