"""The page about one model: what it was trained on, how good it is, where it fails."""

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catsdogs.console import format_duration
from catsdogs.evaluation.figures import Evaluation
from catsdogs.evaluation.score import wilson_interval
from catsdogs.reporting.charts import curves_svg, reliability_svg, risk_svg
from catsdogs.reporting.confusion import confusion_map, most_confused_classes
from catsdogs.reporting.curves import RunEpochs
from catsdogs.reporting.evaluation_output import refusal_sentence
from catsdogs.reporting.page_template import page_environment
from catsdogs.run_metrics import RunMetrics
from catsdogs.text import shortened

MOST_MATRIX_CLASSES = 15
"""With more, the confusion matrix gives way to a map, the part of it with the most mistakes and a
list of what is confused most; and the table of classes begins with the worst."""

_MOST_CONFUSED = 20

_MOST_BESIDE, _MOST_HEAD_CHARACTERS = 4, 16
"""Classes up to which figures and matrix stand side by side, and characters up to which their names
stand upright above the matrix."""

_MOST_SHOWN_EXAMPLES = 60
"""Classes up to which a photo of each is there without a click: two screens of a computer."""

_NOTHING = "\N{EN DASH}"
"""Stands where there is no figure."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Picture:
    """A photo that is shown, with the answer for it.

    Attributes:
        path: where it lies.
        label: the class that it belongs to.
        class_name: the one that it was given.
        probability: of that one.
        photo: data URI; empty where the photo is gone.
        heat: data URI of the photo with what spoke for the answer; empty where not asked for.
    """

    path: Path
    label: str
    class_name: str
    probability: float
    photo: str
    heat: str = ""


@dataclass(frozen=True)
class ReportedRun:
    """A training that the model stands on.

    Attributes:
        name: of its folder.
        metrics: what it gave.
        epochs: its history.
        differences: keys of its configuration that differ from the defaults, each with its
            value and the default; None where the configuration cannot be read.
        skipped: photos that could not be used, with the reason.
    """

    name: str
    metrics: RunMetrics
    epochs: Sequence[Mapping[str, float | None]]
    differences: Mapping[str, tuple[Any, Any]] | None
    skipped: Sequence[tuple[str, str]]

    @property
    def is_solved(self) -> bool:
        """Whether its head was solved, so that there were no epochs to choose from."""
        kind, _ = (self.differences or {}).get("head.kind", ("", ""))
        return self.metrics.command == "train" and kind == "logistic"

    @property
    def num_folds(self) -> int:
        """In how many parts all its photos were validated with in turn; 0: some were held back."""
        return int((self.differences or {}).get("train.folds", (0, 0))[0])

    @property
    def run_epochs(self) -> RunEpochs:
        """Its epochs, for the curves."""
        title = "head" if self.metrics.command == "train" else "fine-tuning"
        return RunEpochs(title, self.epochs, self.metrics.kept_epoch)


@dataclass(frozen=True)
class Report:
    """What the page says.

    Attributes:
        runs: the trainings that the model stands on, in their order; the last one is reported.
        evaluation: over the photos that could be read.
        loss_interval, auc_interval: how sure these figures are, where that can be said.
        evaluated: the folder of the evaluated photos.
        remarks: what the reader must know to judge the figures, a sentence each.
        unreadable: photos that were not evaluated, with the reason.
        mistakes: the most confident ones, with heat.
        examples: photos of each class.
        seconds: wall time of the evaluation.
        facts: about model, machine and versions, by name.
    """

    runs: Sequence[ReportedRun]
    evaluation: Evaluation
    loss_interval: Interval | None
    auc_interval: Interval | None
    evaluated: str
    remarks: Sequence[str]
    unreadable: Sequence[tuple[str, str]]
    mistakes: Sequence[Picture]
    examples: Mapping[str, Sequence[Picture]]
    seconds: float
    facts: Mapping[str, str]


def render_report(report: Report) -> str:
    """The whole page, which loads nothing and runs nothing.

    All text goes through the template's escaping, and control characters are written out.
    """
    environment = page_environment()
    environment.filters |= {
        "percent": format_percent,
        "points": _format_points,
        "figure": _format_figure,
        "short": shortened,
        "duration": format_duration,
        "rate": _format_rate,
        "value": _format_value,
    }
    runs = [run.run_epochs for run in report.runs if len(run.epochs) > 1]  # one point is no curve
    evaluation = report.evaluation
    show_matrix = len(evaluation.class_names) <= MOST_MATRIX_CLASSES
    has_long_names = max(map(len, evaluation.class_names)) > _MOST_HEAD_CHARACTERS
    curve = evaluation.risk_curve
    return environment.get_template("report.html").render(
        report=report,
        evaluation=evaluation,
        run=report.runs[-1],
        page_title=_page_title(evaluation.class_names),
        chance=max(figures.num_photos for figures in evaluation.classes) / evaluation.num_photos,
        classes=_class_rows(evaluation),
        most_classes=MOST_MATRIX_CLASSES,
        confused=_most_confused(evaluation),
        show_matrix=show_matrix,
        has_long_names=has_long_names,
        is_wide=has_long_names or len(evaluation.class_names) > _MOST_BESIDE,
        confusion_map=None if show_matrix else confusion_map(evaluation),
        most_confused=None if show_matrix else most_confused_classes(evaluation),
        curves=[curves_svg(runs, "loss"), curves_svg(runs, "accuracy")] if runs else [],
        reliability=reliability_svg(evaluation.bins, len(evaluation.class_names)),
        most_examples=_MOST_SHOWN_EXAMPLES,
        risk=risk_svg(curve, evaluation.refusal) if curve and evaluation.mistakes else None,
        refusal=evaluation.refusal and refusal_sentence(evaluation.refusal),
        now=datetime.datetime.now().astimezone(),
    )


def _page_title(class_names: Sequence[str]) -> str:
    if len(class_names) == 2:
        return f"Telling {class_names[0]} from {class_names[1]}"
    return f"Telling {len(class_names)} classes apart"


def _class_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The figures of all classes; of many, those whose photos are found least often first."""
    rows = [_class_row(evaluation, label) for label in range(len(evaluation.class_names))]
    if len(rows) > MOST_MATRIX_CLASSES:
        rows.sort(key=lambda row: math.inf if (r := row["figures"].recall) is None else r)
    return rows


def _class_row(evaluation: Evaluation, label: int) -> dict[str, Any]:
    """A class's figures, with intervals."""
    correct = evaluation.confusion[label][label]
    given = sum(row[label] for row in evaluation.confusion)
    figures = evaluation.classes[label]
    return {
        "figures": figures,
        "precision_interval": wilson_interval(correct, given) if given else None,
        "recall_interval": wilson_interval(correct, n) if (n := figures.num_photos) else None,
    }


def _most_confused(evaluation: Evaluation) -> list[tuple[str, str, int]]:
    """True class, predicted class and how often, the most frequent first."""
    names = evaluation.class_names
    pairs = [
        (names[true], names[predicted], count)
        for true, row in enumerate(evaluation.confusion)
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:_MOST_CONFUSED]


def format_percent(share: float | None) -> str:
    """A share as people say it; what is short of all or of nothing never reads as it."""
    if share is None or math.isnan(share):
        return _NOTHING
    for digits in range(1, 8):
        text = f"{share:.{digits}%}"
        if share in (0, 1) or float(text[:-1]) not in (0, 100):
            break
    return text


def _format_points(interval: Interval | None) -> str:
    """An interval of a share."""
    return _NOTHING if interval is None else f"{interval[0]:.1%} to {interval[1]:.1%}"


def _format_figure(value: float | None, digits: int = 4) -> str:
    return _NOTHING if value is None else f"{value:.{digits}f}"


def _format_rate(count: float, seconds: float) -> str:
    """Photos a second."""
    return f"{count / seconds:,.0f}" if count and seconds else _NOTHING


def _format_value(value: Any) -> str:
    """A value of the configuration, as a person writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)
