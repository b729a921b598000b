"""Predictions as text, JSON, JSON lines or CSV."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from catsdogs.files import replacing
from catsdogs.text import csv_row, printable

CSV_START = ["path", "class", "probability"]
STRANGENESS = "strangeness"
"""Stands after the probability where photos may be refused, and in a line of text after the figure
of a refused one, which is no probability."""
_OWN_COLUMNS = {*CSV_START, "label", "error", STRANGENESS}
LABELLED_START = b"path,label,class,"
"""Of a CSV that `save_labelled_predictions` wrote."""
ERROR = "error"
"""What the text has in the place of a class where a photo could not be read."""


class Prediction(Protocol):
    """One answer: probabilities by class, most probable first, or an error."""

    @property
    def name(self) -> str: ...
    @property
    def probabilities(self) -> dict[str, float]: ...
    @property
    def error(self) -> str: ...
    @property
    def strangeness(self) -> float | None: ...
    @property
    def refused_as(self) -> str: ...


def write_predictions(
    predictions: Iterable[Prediction],
    class_names: Sequence[str],
    format_name: str,
    top: int,
    write: Callable[[str], None],
    with_header: bool = True,
    may_refuse: bool = False,
) -> int:
    """Write each prediction as soon as it is there.

    Args:
        predictions: in the order of the output.
        class_names: columns of the CSV.
        format_name: `text`, `json`, `jsonl` or `csv`.
        top: lines a photo, text only.
        write: takes a line, without its line break.
        with_header: begin a CSV with the names of its columns.
        may_refuse: tell how strange each photo is, too.

    Returns:
        How many photos could not be read; each has a row with the reason.
    """
    num_failed = 0

    def counted() -> Iterator[Prediction]:
        nonlocal num_failed
        for prediction in predictions:
            num_failed += bool(prediction.error)
            yield prediction

    lines: Iterable[str]
    match format_name:
        case "text":
            mark = error_mark(class_names)
            lines = (line for p in counted() for line in _text_lines(p, top, mark))
        case "csv":
            header = [csv_header(class_names, may_refuse)] if with_header else []
            rows = (_csv_values(p, class_names, may_refuse) for p in counted())
            lines = chain(header, map(csv_row, rows))
        case "jsonl":
            lines = (_json(p, may_refuse) for p in counted())
        case _:
            lines = _json_array_lines(_json(p, may_refuse) for p in counted())
    for line in lines:
        write(line)
    return num_failed


def save_labelled_predictions(
    path: Path,
    predictions: Iterable[Prediction],
    labels: Iterable[str],
    class_names: Sequence[str],
    key: str,
    may_refuse: bool = False,
) -> None:
    """Write a CSV with what each photo is and what it was taken for.

    Its columns are those of `predict --format csv` with `label`, the true class, after `path`.
    Probabilities are written so that they read back to the same numbers.

    Args:
        path: the file.
        predictions: in the order of the lines.
        labels: the class that each photo belongs to.
        class_names: columns of probabilities.
        key: what the user chooses another place by; see `CatsdogsError`.
        may_refuse: tell how strange each photo is, too.

    Raises:
        DataError: it cannot be written.
    """
    with (
        replacing(path, key) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        start, *columns = _header_cells(class_names, may_refuse)
        header = csv_row([start, "label", *columns])
        file.write(f"{header}\r\n")
        for prediction, label in zip(predictions, labels, strict=True):
            name, *values = _csv_values(prediction, class_names, may_refuse)
            file.write(f"{csv_row([name, label, *values])}\r\n")


def error_mark(class_names: Sequence[str]) -> str:
    """`error`, or `error!` where a class is called that."""
    mark = ERROR
    while mark in class_names:
        mark += "!"
    return mark


def is_error_mark(name: str) -> bool:
    """Whether a failure may be marked so, whatever the classes are called."""
    return name.rstrip("!") == ERROR


def _class_columns(class_names: Sequence[str]) -> list[str]:
    """A column a class: its name, or `probability of NAME` where another column is called that."""
    taken = {*_OWN_COLUMNS, *class_names}
    columns = []
    for name in class_names:
        column = name
        if name in _OWN_COLUMNS:
            column = f"probability of {name}"
            while column in taken:
                column += "!"
            taken.add(column)
        columns.append(column)
    return columns


def _text_lines(prediction: Prediction, top: int, mark: str) -> list[str]:
    path = printable(prediction.name)
    if prediction.error:
        return [f"{path}\t{mark}\t{printable(prediction.error)}"]
    best = [
        f"{path}\t{printable(name)}\t{probability:.4f}"
        for name, probability in list(prediction.probabilities.items())[:top]
    ]
    if prediction.refused_as:
        name, figure = printable(prediction.refused_as), prediction.strangeness or 0.0
        best = [f"{path}\t{name}\t{figure:.4f}\t{STRANGENESS}", *best[: top - 1]]
    return best


def _record(prediction: Prediction, may_refuse: bool) -> dict[str, Any]:
    if prediction.error:
        return {"path": prediction.name, "error": prediction.error}
    name, probability = next(iter(prediction.probabilities.items()))
    return {
        "path": prediction.name,
        "class": prediction.refused_as or name,
        "probability": probability,
        **({STRANGENESS: prediction.strangeness} if may_refuse else {}),
        "probabilities": prediction.probabilities,
    }


def _json(prediction: Prediction, may_refuse: bool) -> str:
    # all that is not ASCII is escaped by json, all that is not printable but for one
    return json.dumps(_record(prediction, may_refuse)).replace("\x7f", "\\u007f")


def _json_array_lines(records: Iterable[str]) -> Iterator[str]:
    """An array with an element a line; each line is held until it is known to need a comma."""
    held = "["
    for index, record in enumerate(records):
        yield held + ("," if index else "")
        held = f"  {record}"
    yield held
    yield "]"


def csv_header(class_names: Sequence[str], may_refuse: bool = False) -> str:
    """The first line of a CSV, without its line break."""
    return csv_row(_header_cells(class_names, may_refuse))


def _header_cells(class_names: Sequence[str], may_refuse: bool) -> list[str]:
    start = [*CSV_START, STRANGENESS] if may_refuse else CSV_START
    return [*start, *_class_columns(class_names), "error"]


def _csv_values(
    prediction: Prediction, class_names: Sequence[str], may_refuse: bool = False
) -> list[Any]:
    strangeness = [""] if prediction.error else [prediction.strangeness]
    columns = strangeness if may_refuse else []
    if prediction.error:
        return [prediction.name, "", "", *columns, *("" for _ in class_names), prediction.error]
    name, probability = next(iter(prediction.probabilities.items()))
    values = [prediction.probabilities[name] for name in class_names]
    return [prediction.name, prediction.refused_as or name, probability, *columns, *values, ""]
