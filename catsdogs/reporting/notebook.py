"""Answers as HTML, for notebooks: every text escaped, no script, no style but alignment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from html import escape
from typing import Self

from catsdogs.evaluation.figures import Evaluation
from catsdogs.text import counted, printable

_MOST_CLASSES = 10
"""Beyond that, only the first ones are shown of a prediction, and of a table of counts none."""


def prediction_html(
    probabilities: Mapping[str, float],
    error: str,
    refused_as: str = "",
    strangeness: float | None = None,
) -> str:
    """The most probable classes with their probabilities, or why there are none.

    Args:
        probabilities: by class name.
        error: why there are none; empty otherwise.
        refused_as: what stands above them where the photo was refused; empty otherwise.
        strangeness: of a refused photo.
    """
    if error:
        return f"<p>{_text(error)}</p>"
    refusal = f"<p>{_text(refused_as)}, strangeness {strangeness:.4f}</p>" if refused_as else ""
    shown = list(probabilities.items())[:_MOST_CLASSES]
    rows = [(name, f"{probability:.4f}") for name, probability in shown]
    more = len(probabilities) - len(shown)
    return (
        refusal
        + _table(("class", "probability"), rows)
        + (f"<p>and {more:,} more</p>" if more else "")
    )


class NotebookEvaluation(Evaluation):
    """An evaluation that a notebook shows as tables."""

    @classmethod
    def of(cls, evaluation: Evaluation) -> Self:
        """The same figures."""
        return cls(**{field.name: getattr(evaluation, field.name) for field in fields(evaluation)})

    def __repr__(self) -> str:
        return f"<catsdogs evaluation: {self.summary}>"  # its fields have a number for each photo

    def _repr_html_(self) -> str:
        return evaluation_html(self)


def evaluation_html(evaluation: Evaluation) -> str:
    """Accuracy with its interval, the figures of each class, and who was taken for whom."""
    names = evaluation.class_names
    summary = f"<p>{_text(evaluation.summary)}</p>"
    figures = [
        (c.name, _share(c.precision), _share(c.recall), f"{c.num_photos:,}")
        for c in evaluation.classes
    ]
    parts = [summary, _table(("class", "precision", "recall", "photos"), figures)]
    if len(names) <= _MOST_CLASSES:
        counts = [
            (name, *(f"{count:,}" for count in row))
            for name, row in zip(names, evaluation.confusion, strict=True)
        ]
        parts.append(_table(("true, down; predicted, across", *names), counts))
    if evaluation.mistakes:
        parts.append(f"<p>{counted(len(evaluation.mistakes), 'mistake')}</p>")
    return "".join(parts)


def _share(share: float | None) -> str:
    return "\N{EN DASH}" if share is None else f"{share:.4f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr><th style='text-align:left'>{_text(first)}</th>"
        + "".join(f"<td style='text-align:right'>{_text(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    return escape(printable(text))
