"""How far a training has come, epoch by epoch, and what it gave."""

from dataclasses import dataclass, field

from catsdogs.evaluation.score import Score
from catsdogs.training.model_state import ModelState, Values
from catsdogs.training.plan import TrainingPlan


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
