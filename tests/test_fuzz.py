"""Some thousand damaged inputs; `make fuzz` tries more."""

import sys

import pytest
from fuzz import Outcome, fuzz

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits memory by Linux' means"),
]


def troubles(outcome: Outcome):
    return [*outcome.crashes, *outcome.hangs, *outcome.tracebacks, *outcome.noise]


def test_damaged_photos_give_an_image_or_a_reason(tmp_path):
    outcome = fuzz("photos", 4000, seed=7, num_workers=2, keep_dir=tmp_path)
    assert troubles(outcome) == []
    assert outcome.num_inputs == 4000
    assert 1000 < outcome.num_answers < 3000


def test_damaged_model_files_are_read_or_refused(tmp_path):
    outcome = fuzz("models", 400, seed=7, num_workers=1, keep_dir=tmp_path)
    assert troubles(outcome) == []
    assert outcome.num_inputs == 400
    assert 20 < outcome.num_answers < 300


@pytest.mark.parametrize(
    "kind",
    [
        "weights",
        "stores",
        "cards",
        "checkpoints",
        "records",
        "answers",
        "manifests",
        "lists",
        "sortings",
    ],
)
def test_whatever_else_is_damaged_is_read_or_refused(tmp_path, kind):
    count = 60 if kind == "stores" else 300  # which write to the disk
    outcome = fuzz(kind, count, seed=7, num_workers=1, keep_dir=tmp_path)
    assert troubles(outcome) == []
    assert outcome.num_inputs == count
