"""An evaluation as text for people and as JSON for programs."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from rich.cells import cell_len

from catsdogs.evaluation.coverage import Refusal
from catsdogs.evaluation.figures import NUM_BINS, Evaluation
from catsdogs.evaluation.score import no_better_than_one_answer
from catsdogs.reporting.result_lines import photos_read
from catsdogs.reporting.table import align
from catsdogs.text import counted, printable

_MOST_MISTAKES = 10
_MOST_CLASSES = 20
"""Classes up to which each one's figures are shown."""

_MOST_COLUMNS = 80
"""Of a terminal, up to which the confusion matrix is shown as one."""


class Measured(Protocol):
    """What `catsdogs evaluate` found out."""

    @property
    def model_path(self) -> Path: ...
    @property
    def folder(self) -> Path: ...
    @property
    def evaluation(self) -> Evaluation: ...
    @property
    def unreadable(self) -> Sequence[tuple[Path, str]]: ...


def evaluate_lines(result: Measured) -> list[str]:
    """What `catsdogs evaluate` says of a model and a folder."""
    where = printable(f"{result.model_path} on {result.folder}")
    return [
        f"{where}: {photos_read(result.evaluation.num_photos, len(result.unreadable))}",
        "",
        *evaluation_lines(result.evaluation),
    ]


def evaluate_json(result: Measured) -> str:
    """The same as one JSON object, every figure at full precision."""
    return as_json(
        {
            "model": str(result.model_path),
            "folder": str(result.folder),
            "class_names": list(result.evaluation.class_names),
            **evaluation_record(result.evaluation),
            "unreadable": reasons(result.unreadable),
        }
    )


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """Tables of all figures, a line each, the most confident mistakes last."""
    auc, before = evaluation.roc_auc, evaluation.uncalibrated
    loss_before = before.loss if before else None
    error_before = before.calibration_error if before else None
    return [
        *align(
            [
                ("accuracy", f"{evaluation.accuracy:.4f}", _how_sure(evaluation)),
                ("balanced accuracy", f"{evaluation.balanced_accuracy:.4f}", "mean recall"),
                ("macro F1", f"{evaluation.macro_f1:.4f}", "mean F1 of the classes"),
                (
                    "log loss",
                    f"{evaluation.loss:.4f}",
                    _with_before("nats", loss_before),
                ),
                ("ROC AUC", _share(auc), _auc_remark(evaluation)),
                (
                    "calibration error",
                    f"{evaluation.calibration_error:.4f}",
                    _with_before(f"{NUM_BINS} bins", error_before),
                ),
            ]
        ),
        *([printable(remark)] if (remark := remark_on_accuracy(evaluation)) else []),
        *([refusal_sentence(found)] if (found := evaluation.refusal) else []),
        "",
        *_class_lines(evaluation),
        "",
        *_confusion_lines(evaluation),
        *_mistake_lines(evaluation),
    ]


def evaluation_record(evaluation: Evaluation) -> dict[str, Any]:
    """Everything at full precision, as JSON can hold it; what is not defined is None."""
    return {
        "num_photos": evaluation.num_photos,
        "num_correct": evaluation.num_correct,
        "accuracy": evaluation.accuracy,
        "interval": list(evaluation.interval),
        "trained_on": evaluation.trained_on,
        "balanced_accuracy": evaluation.balanced_accuracy,
        "macro_f1": evaluation.macro_f1,
        "remark": remark_on_accuracy(evaluation),
        "log_loss": evaluation.loss,
        "roc_auc": evaluation.roc_auc,
        "calibration_error": evaluation.calibration_error,
        "refusal": _refusal_record(evaluation.refusal),
        "uncalibrated": asdict(before) if (before := evaluation.uncalibrated) else None,
        "reliability": [asdict(b) for b in evaluation.bins],
        "classes": [asdict(c) for c in evaluation.classes],
        "confusion_matrix": [list(row) for row in evaluation.confusion],
        "mistakes": [
            {
                "path": str(mistake.path),
                "label": mistake.label,
                "class": mistake.class_name,
                "probability": mistake.probability,
            }
            for mistake in evaluation.mistakes
        ],
    }


def refusal_sentence(refusal: Refusal) -> str:
    """What is answered where the strangest photos are refused, and how much of that is right."""
    start = (
        f"refusing {refusal.share:.4g} of ordinary photos, it answers {refusal.coverage:.4f} of "
        "these"
    )
    if refusal.accuracy is None or refusal.interval is None:
        return start
    low, high = refusal.interval
    return f"{start}, {refusal.accuracy:.4f} of them right (95% interval {low:.4f} to {high:.4f})"


def _refusal_record(refusal: Refusal | None) -> dict[str, Any] | None:
    if refusal is None:
        return None
    return {
        **asdict(refusal),
        "coverage": refusal.coverage,
        "accuracy": refusal.accuracy,
        "interval": refusal.interval and list(refusal.interval),
    }


def reasons(unreadable: Iterable[tuple[Path, str]]) -> list[dict[str, str]]:
    """Photos that could not be read, as JSON can hold them."""
    return [{"path": str(path), "error": reason} for path, reason in unreadable]


def as_json(record: dict[str, Any]) -> str:
    """A record as JSON that every reader takes: without NaN."""
    return json.dumps(record, indent=1, allow_nan=False)


def remark_on_accuracy(evaluation: Evaluation) -> str:
    """What has to be known about the accuracy; empty where there is nothing."""
    return no_better_than_one_answer(evaluation.accuracy, evaluation.class_counts)


def _with_before(unit: str, before: float | None) -> str:
    return unit if before is None else f"{unit}; {before:.4f} before calibration"


def _how_sure(evaluation: Evaluation) -> str:
    if evaluation.trained_on:
        return "of photos that it was trained on: expect less of others"
    low, high = evaluation.interval
    return f"95% interval {low:.4f} to {high:.4f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _auc_remark(evaluation: Evaluation) -> str:
    if evaluation.roc_auc is None:
        return "not defined: all photos are of one class"
    if len(evaluation.class_names) == 2:
        return f"of {evaluation.class_names[1]}"
    return "mean of each class against the rest"


def _class_lines(evaluation: Evaluation) -> list[str]:
    """The figures of each class; of many, those whose photos are found least often."""
    classes, lines = evaluation.classes, []
    if len(classes) > _MOST_CLASSES:
        classes = tuple(
            sorted(classes, key=lambda one: math.inf if one.recall is None else one.recall)
        )[:_MOST_CLASSES]
        lines = [
            f"the {_MOST_CLASSES} of {len(evaluation.classes)} classes with the lowest recall "
            "(all: in the JSON)"
        ]
    rows = [
        (one.name, _share(one.precision), _share(one.recall), _share(one.f1), f"{one.num_photos:,}")
        for one in classes
    ]
    header = ("class", "precision", "recall", "F1", "photos")
    return [*lines, *align([header, *rows], right=(1, 2, 3, 4))]


def _confusion_lines(evaluation: Evaluation) -> list[str]:
    names = evaluation.class_names
    if 3 * len(names) <= _MOST_COLUMNS:  # the least that they take
        rows = [
            (name, *(f"{count:,}" for count in row))
            for name, row in zip(names, evaluation.confusion, strict=True)
        ]
        matrix = align([("", *names), *rows], right=range(1, len(names) + 1))
        if max(map(cell_len, matrix)) <= _MOST_COLUMNS:
            return ["confusion matrix: rows are true, columns predicted", *matrix, ""]
    taken = sorted(
        (-count, names[true], names[predicted])
        for true, row in enumerate(evaluation.confusion)
        for predicted, count in enumerate(row)
        if count and predicted != true
    )
    if not taken:
        return []
    return [
        "most frequent confusions (the whole matrix: in the JSON)",
        *align(
            [
                (f"{-count:,}", f"{label} taken for {name}")
                for count, label, name in taken[:_MOST_MISTAKES]
            ],
            right=(0,),
        ),
        "",
    ]


def _mistake_lines(evaluation: Evaluation) -> list[str]:
    mistakes = evaluation.mistakes
    if not mistakes:
        return ["no mistakes"]
    shown = mistakes[:_MOST_MISTAKES]
    count = counted(len(mistakes), "mistake")
    which = ", the most confident first" if len(mistakes) > 1 else ""
    if len(shown) < len(mistakes):
        which = f", the {len(shown)} most confident"
    return [
        f"{count}{which}",
        *align(
            [
                ("probability", "predicted", "photo"),
                *((f"{m.probability:.4f}", m.class_name, str(m.path)) for m in shown),
            ]
        ),
    ]
