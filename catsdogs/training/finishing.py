"""What held-out photos say about a trained classifier, for its model file."""

from dataclasses import dataclass, replace

import numpy as np

from catsdogs.data.layout import TRAIN, VALIDATION
from catsdogs.evaluation.calibration import LEAST_PHOTOS, fit_temperature
from catsdogs.evaluation.log_loss import log_losses, softmax
from catsdogs.model.known_photos import KnownPhotos
from catsdogs.training.history import History
from catsdogs.training.known_photos import learn_in_folds, learn_known_photos
from catsdogs.training.photo_answers import PhotoAnswers, TrainedClassifier
from catsdogs.training.photo_features import TrainingSetup

_MOST_TRAINING_PHOTOS = 1000
"""What is learned from: they go once more through the layers that were trained."""

_SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass
class Finisher:
    """Fits what a model file holds besides its weights; is called once the training has ended.

    Attributes:
        setup: photos and settings.
        temperature: by which the logits of the trained weights are to be divided; before, what
            it stays at where there are too few held-out photos to say.
        known: what the photos look like to it; None where there are too few.
        loss: log loss of the held-out photos at that temperature, weighed by class as the plan
            says; None where it is 1.
    """

    setup: TrainingSetup
    temperature: float = 1.0
    known: KnownPhotos | None = None
    loss: float | None = None

    def __call__(self, trained: TrainedClassifier) -> None:
        answers = trained.answers(VALIDATION)
        logits, labels = np.log(np.maximum(answers.probabilities, _SMALLEST)), answers.labels
        if trained.out_of_fold is not None:  # those photos were trained on in the end
            logits = trained.out_of_fold.logits
        console = self.setup.console
        of_classes = self.setup.plan.class_weights
        weights = answers.weights * (np.array(of_classes)[labels] if of_classes else 1.0)

        def loss(temperature: float) -> float:
            return float(
                (weights * log_losses(logits.astype(np.float64) / temperature, labels)).mean()
            )

        if len(labels) >= LEAST_PHOTOS:
            self.temperature = fit_temperature(logits, labels, weights)
            console.note(
                f"probabilities calibrated on {len(labels):,} held-out photos: temperature "
                f"{self.temperature:.3f}, log loss {loss(1):.4f} to {loss(self.temperature):.4f}"
            )
        else:
            console.note(
                f"{len(labels):,} held-out photos are too few to calibrate probabilities "
                f"({LEAST_PHOTOS} would do): they stay as they are"
            )
        if len(labels) and self.temperature != 1:
            self.loss = loss(self.temperature)
        self._learn_known(trained, answers, softmax(logits / self.temperature))

    def _learn_known(
        self, trained: TrainedClassifier, held_out: PhotoAnswers, probabilities: np.ndarray
    ) -> None:
        if not len(held_out):
            return
        confidences = probabilities.max(axis=1)
        if trained.out_of_fold is not None:
            folds = trained.out_of_fold.folds
            self.known = learn_in_folds(held_out.features, folds, confidences)
        else:
            features = trained.answers(TRAIN, _MOST_TRAINING_PHOTOS).features
            self.known = learn_known_photos(features, held_out.features, confidences)
        share = self.setup.config.unknown.share
        if share and (self.known is None or share < self.known.least_share):
            all_judge = "; train.folds = 5 with head.kind = logistic judges by all photos"
            self.setup.console.warn(
                f"{len(held_out):,} held-out photos are too few to refuse a share of {share:g} of "
                "them: the model will give every photo a class"
                f"{all_judge if trained.out_of_fold is None else ''}"
            )

    @property
    def refused(self) -> tuple[float, tuple[float, float] | None]:
        """The share of ordinary photos that the model refuses, and the limits that make it so."""
        share = self.setup.config.unknown.share
        limits = self.known.limits(share) if self.known and share else None
        return (share, limits) if limits else (0.0, None)

    def finished(self, history: History) -> History:
        """The history with the loss that the saved model has."""
        return replace(history, calibrated_loss=self.loss)
