"""A comparison of two models as text for people and as JSON for programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from catsdogs.evaluation.figures import Evaluation
from catsdogs.reporting.evaluation_output import as_json, reasons
from catsdogs.reporting.result_lines import photos_read
from catsdogs.reporting.table import align
from catsdogs.text import printable

_TRAINED_ON = "on photos that a model was trained on, which says nothing about others"


class Compared(Protocol):
    """What `catsdogs compare` found out; `a` is the first model, `b` the second."""

    @property
    def folder(self) -> Path: ...
    @property
    def path_a(self) -> Path: ...
    @property
    def path_b(self) -> Path: ...
    @property
    def a(self) -> Evaluation: ...
    @property
    def b(self) -> Evaluation: ...
    @property
    def num_both(self) -> int: ...
    @property
    def num_only_a(self) -> int: ...
    @property
    def num_only_b(self) -> int: ...
    @property
    def num_neither(self) -> int: ...
    @property
    def unreadable(self) -> Sequence[tuple[Path, str]]: ...
    @property
    def p_value(self) -> float: ...
    @property
    def trained_on(self) -> bool: ...
    @property
    def verdict(self) -> str: ...


def compare_lines(result: Compared) -> list[str]:
    """The figures of both models, and which is better."""
    photos = photos_read(result.a.num_photos, len(result.unreadable))
    models = [("A", result.path_a, result.a), ("B", result.path_b, result.b)]
    counts = {
        "both right": result.num_both,
        "only A right": result.num_only_a,
        "only B right": result.num_only_b,
        "neither right": result.num_neither,
    }
    return [
        f"{printable(str(result.folder))}: {photos}",
        "",
        *align(
            (
                letter,
                f"accuracy {e.accuracy:.4f}",
                "95% interval {:.4f} to {:.4f}".format(*e.interval),
                f"log loss {e.loss:.4f}",
                str(path),
            )
            for letter, path, e in models
        ),
        "",
        *align(((name, f"{count:,}") for name, count in counts.items()), right=(1,)),
        "",
        result.verdict,
        *([_TRAINED_ON] if result.trained_on else []),
    ]


def compare_json(result: Compared) -> str:
    """The same as one JSON object, every figure at full precision."""
    models = {"a": (result.path_a, result.a), "b": (result.path_b, result.b)}
    record = {
        "folder": str(result.folder),
        "class_names": list(result.a.class_names),
        "num_photos": result.a.num_photos,
        **{
            letter: {
                "model": str(path),
                "num_correct": e.num_correct,
                "accuracy": e.accuracy,
                "interval": list(e.interval),
                "log_loss": e.loss,
            }
            for letter, (path, e) in models.items()
        },
        "both_right": result.num_both,
        "only_a_right": result.num_only_a,
        "only_b_right": result.num_only_b,
        "neither_right": result.num_neither,
        "trained_on": result.trained_on,
        "p_value": result.p_value,
        "verdict": result.verdict,
        "unreadable": reasons(result.unreadable),
    }
    return as_json(record)
