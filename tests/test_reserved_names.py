"""Classes that are called like the output's own words."""

import csv
from pathlib import Path

import pytest

from catsdogs.model.answer import Prediction
from catsdogs.reporting.prediction_file import read_answers
from catsdogs.reporting.predictions import write_predictions


def written(format_name, class_names):
    answer = Prediction(dict.fromkeys(class_names, 0.5), path=Path("a.jpg"))
    failure = Prediction({}, "damaged", path=Path("b.jpg"))
    lines = []
    write_predictions([answer, failure], class_names, format_name, 1, lines.append)
    return lines


@pytest.mark.parametrize("name", ["error", "label", "path", "class", "probability"])
def test_no_two_columns_of_a_csv_have_one_name(name):
    header, answer, _ = csv.reader(written("csv", [name, "ok", f"probability of {name}"]))
    assert len(set(header)) == len(header)
    values = dict(zip(header, answer, strict=True))
    assert values[f"probability of {name}!"] == "0.5"
    assert (values["path"], values["class"], values["error"]) == ("a.jpg", name, "")


def test_a_failure_is_told_from_a_class_called_error():
    assert written("text", ["error", "ok"]) == ["a.jpg\terror\t0.5000", "b.jpg\terror!\tdamaged"]
    assert written("text", ["cats", "dogs"])[1] == "b.jpg\terror\tdamaged"


def test_answers_beside_a_class_called_error_can_be_gone_on_with(tmp_path):
    path = tmp_path / "answers.txt"
    path.write_text("".join(f"{line}\n" for line in written("text", ["error", "ok"])))
    earlier = read_answers(path, "text", 1)
    assert [earlier.take(name) for name in ("a.jpg", "b.jpg", "c.jpg")] == [True, True, False]
