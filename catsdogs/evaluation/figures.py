"""Everything that labelled predictions say about a classifier, by scikit-learn."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn import metrics

from catsdogs.evaluation.calibration import at_temperature
from catsdogs.evaluation.coverage import Refusal, RiskCurve
from catsdogs.evaluation.score import Score
from catsdogs.text import counted

NUM_BINS = 15
"""Bins of the calibration error: equal widths from 0 to 1, as in Guo et al., "On Calibration of
Modern Neural Networks", 2017."""


@dataclass(frozen=True)
class ClassFigures:
    """How good a classifier is on one class. Shares are None where nothing defines them.

    Attributes:
        name: of the class.
        precision: of the photos that were given this class, the share that belongs to it.
        recall: of the photos that belong to it, the share that was given it.
        f1: harmonic mean of the two.
        num_photos: how many belong to it (its support).
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    num_photos: int


@dataclass(frozen=True)
class ReliabilityBin:
    """The photos whose most probable class has about the same probability.

    Attributes:
        low: that probability is above it …
        high: … and not above this one.
        num_photos: one or more.
        confidence: its mean.
        accuracy: share of these photos that are right; well calibrated where it is the same.
    """

    low: float
    high: float
    num_photos: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Mistake:
    """A photo that was given a wrong class.

    Attributes:
        path: where it lies.
        label: the class that it belongs to.
        class_name: the one that it was given.
        probability: of the class that it was given.
    """

    path: Path
    label: str
    class_name: str
    probability: float


@dataclass(frozen=True)
class Uncalibrated:
    """What the figures would be without the temperature that the model file holds.

    Attributes:
        temperature: above 1, the model had been too sure.
        loss: mean log loss in nats, as in `Evaluation`.
        calibration_error: 0 to 1, as in `Evaluation`.
    """

    temperature: float
    loss: float
    calibration_error: float


@dataclass(frozen=True)
class Evaluation:
    """How good a classifier is on some photos.

    Attributes:
        class_names: in the order of rows and columns.
        num_photos: how many, one or more.
        num_correct: photos whose most probable class is theirs.
        loss: mean log loss in nats; probabilities below 2.2e-16 count as that much.
        roc_auc: area under the ROC curve: of the second of two classes; beyond two, mean of
            each class against the rest, over the classes that have photos. None where all
            photos belong to one class.
        calibration_error: expected calibration error, 0 to 1: mean distance of confidence and
            accuracy over the bins, weighted by their photos.
        bins: those with photos, from low to high.
        confusion: photos by true class (rows) and predicted class (columns).
        classes: figures of each class.
        mistakes: all of them, the most confident first.
        uncalibrated: how sure it was before; None where that was the same.
        refusal: what it answers where it refuses what is strange; None where it cannot. All other
            figures are of its most probable classes, refused or not.
        risk_curve: mistakes, where more and more is refused; None where nobody asked.
        trained_on: the model was trained on these photos: nothing here, the interval included,
            tells how good it is on others.
    """

    class_names: tuple[str, ...]
    num_photos: int
    num_correct: int
    loss: float
    roc_auc: float | None
    calibration_error: float
    bins: tuple[ReliabilityBin, ...]
    confusion: tuple[tuple[int, ...], ...]
    classes: tuple[ClassFigures, ...]
    mistakes: tuple[Mistake, ...]
    uncalibrated: Uncalibrated | None = None
    refusal: Refusal | None = None
    risk_curve: RiskCurve | None = None
    trained_on: bool = False

    @property
    def accuracy(self) -> float:
        """Share of photos whose most probable class is theirs, 0 to 1."""
        return self.num_correct / self.num_photos

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes that have photos: each counts the same, however many."""
        return _mean(c.recall for c in self.classes)

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that have photos."""
        return _mean(c.f1 for c in self.classes if c.num_photos)

    @property
    def class_counts(self) -> dict[str, int]:
        """Class names to numbers of photos."""
        return {c.name: c.num_photos for c in self.classes}

    @property
    def interval(self) -> tuple[float, float]:
        """95% Wilson interval of the accuracy."""
        return self.score.interval

    @property
    def score(self) -> Score:
        """Loss and accuracy, with the interval."""
        return Score(loss=self.loss, accuracy=self.accuracy, num_photos=self.num_photos)

    @property
    def summary(self) -> str:
        """The score in words; without an interval, where that would be of photos seen before."""
        if self.trained_on:
            return (
                f"accuracy {self.accuracy:.4f} of {counted(self.num_photos, 'photo')} that the "
                "model was trained on, which says nothing about others"
            )
        return str(self.score)


def evaluate_predictions(
    paths: Sequence[Path],
    labels: Sequence[int] | np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    temperature: float = 1.0,
    trained_on: bool = False,
) -> Evaluation:
    """Compare predictions with what the photos are.

    Args:
        paths: of the photos, one or more; all of them were readable.
        labels: `(n,)`, the class that each belongs to, as an index into `class_names`.
        probabilities: float `(n, classes)`, finite, 0 to 1. They are taken as they are: float32
            rows that add up to 1 but for rounding are not made to.
        class_names: two or more, in the order of the columns.
        temperature: by which the model divides its logits; 1: it does not.
        trained_on: the model was trained on the photos.
    """
    names = tuple(class_names)
    labels = np.asarray(labels)
    values = np.asarray(probabilities, np.float64)
    predicted = values.argmax(axis=1)  # the first of equals, as `Prediction.class_name`
    confidence = values.max(axis=1)
    correct = predicted == labels
    bins = _reliability_bins(confidence, correct)
    uncalibrated = None
    if temperature != 1:
        before = at_temperature(values, 1 / temperature)
        uncalibrated = Uncalibrated(
            temperature,
            _log_loss(labels, before),
            _calibration_error(_reliability_bins(before.max(axis=1), correct)),
        )
    wrong = [int(i) for i in np.flatnonzero(~correct)]
    wrong.sort(key=lambda i: (-confidence[i], paths[i]))
    return Evaluation(
        class_names=names,
        num_photos=len(labels),
        num_correct=int(correct.sum()),
        loss=_log_loss(labels, values),
        roc_auc=_roc_auc(labels, values),
        calibration_error=_calibration_error(bins),
        bins=bins,
        confusion=tuple(
            tuple(row)
            for row in metrics.confusion_matrix(
                labels, predicted, labels=range(len(names))
            ).tolist()
        ),
        classes=_class_figures(labels, predicted, names),
        mistakes=tuple(
            Mistake(paths[i], names[labels[i]], names[predicted[i]], float(confidence[i]))
            for i in wrong
        ),
        uncalibrated=uncalibrated,
        trained_on=trained_on,
    )


def _mean(shares: Iterable[float | None]) -> float:
    """Mean of those that are defined: one at least, as there are photos."""
    return float(np.mean([share for share in shares if share is not None]))


def _log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    with warnings.catch_warnings():
        # float32 rows add up to 1 within 1e-6, which scikit-learn finds too little
        warnings.filterwarnings("ignore", message=".*do not sum to one")
        return float(metrics.log_loss(labels, probabilities, labels=range(probabilities.shape[1])))


def _roc_auc(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    present = np.unique(labels)
    if len(present) < 2:
        return None
    if probabilities.shape[1] == 2:
        return float(metrics.roc_auc_score(labels, probabilities[:, 1]))
    areas = [metrics.roc_auc_score(labels == c, probabilities[:, c]) for c in present]
    return float(np.mean(areas))


def _class_figures(
    labels: np.ndarray, predicted: np.ndarray, names: tuple[str, ...]
) -> tuple[ClassFigures, ...]:
    columns = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(len(names)), zero_division=np.nan
    )
    return tuple(
        ClassFigures(name, _defined(precision), _defined(recall), _defined(f1), int(count))
        for name, precision, recall, f1, count in zip(names, *columns, strict=True)
    )


def _defined(share: float) -> float | None:
    return None if np.isnan(share) else float(share)


def _calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    num_photos = sum(b.num_photos for b in bins)
    return sum(b.num_photos / num_photos * abs(b.confidence - b.accuracy) for b in bins)


def _reliability_bins(confidence: np.ndarray, correct: np.ndarray) -> tuple[ReliabilityBin, ...]:
    edges = np.linspace(0, 1, NUM_BINS + 1)
    places = np.searchsorted(edges, confidence, side="left").clip(1, NUM_BINS)  # (low, high]
    return tuple(
        ReliabilityBin(
            low=float(edges[place - 1]),
            high=float(edges[place]),
            num_photos=int((places == place).sum()),
            confidence=float(confidence[places == place].mean()),
            accuracy=float(correct[places == place].mean()),
        )
        for place in np.unique(places)
    )
