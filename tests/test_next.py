"""`catsdogs next`: photos that a model is unsure of, no two alike."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from catsdogs.checking.label_next import choose_photos, unsureness
from tests.conftest import BLUISH, REDDISH

pytestmark = pytest.mark.slow

BETWEEN = tuple((red + blue) // 2 for red, blue in zip(REDDISH, BLUISH, strict=True))


@pytest.fixture
def folder(tmp_path, make_photos, make_model, monkeypatch):
    """A model, and photos without labels: reddish, bluish (of which it is less sure), between."""
    monkeypatch.chdir(tmp_path)
    make_model(tmp_path / "models" / "catsdogs.h5")
    make_photos(tmp_path / "new", 6, 1, REDDISH)
    make_photos(tmp_path / "new", 6, 2, BLUISH)
    make_photos(tmp_path / "new" / "deep", 3, 3, BETWEEN)
    return tmp_path


def test_the_photo_that_the_model_is_least_sure_of_comes_first(folder, call):
    document = json.loads(call("next", "new", "--count", "3", "--format", "json").stdout)
    assert document["num_photos"] == 15
    assert document["photos"][0]["path"].startswith("new/2_")
    unsure = [photo["unsureness"] for photo in document["photos"]]
    assert unsure == sorted(unsure, reverse=True)
    predicted = json.loads(call("predict", "new", "--format", "json").stdout)
    probabilities = {p["path"]: max(p["probabilities"].values()) for p in predicted}
    for photo in document["photos"]:
        assert photo["probability"] == pytest.approx(probabilities[photo["path"]], abs=1e-5)


def test_text_and_csv_hold_the_same(folder, call):
    text = [line.split("\t") for line in call("next", "new", "--count", "2").stdout.splitlines()]
    csv_text = call("next", "new", "--count", "2", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(csv_text)))
    assert list(rows[0]) == ["path", "class", "probability", "unsureness", "copy"]
    assert [[r["path"], r["class"], f"{float(r['probability']):.4f}"] for r in rows] == text


def test_chosen_photos_are_copied_where_they_lay(folder, call):
    call("next", "new", "--count", "15", "--copy-to", "to_label")
    files = {path.relative_to("new"): path.read_bytes() for path in Path("new").rglob("*.png")}
    copies = Path("to_label").rglob("*.png")
    assert {path.relative_to("to_label"): path.read_bytes() for path in copies} == files


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("models", "models is no empty folder: choose another by --copy-to DIR"),
        ("new/next", "new/next lies in new: choose a folder beside it by --copy-to DIR"),
    ],
)
def test_a_target_that_holds_or_would_become_something_else_is_refused(folder, call, target, line):
    result = call("next", "new", "--copy-to", target, code=1)
    assert result.stderr == f"error: {line}\n"


def test_all_photos_are_chosen_where_there_are_no_more(folder, call):
    assert len(call("next", "new", "--count", "99").stdout.splitlines()) == 15


def test_what_cannot_be_read_is_named(folder, call):
    Path("new/bad.jpg").write_bytes(b"")
    Path("new/letter.txt").write_text("")
    result = call("next", "new", "--count", "1")
    assert "new/bad.jpg is not among them: not a picture" in result.stderr
    assert "left out: " in result.stderr


def test_a_folder_of_nothing_that_can_be_read_is_a_line(folder, call):
    Path("bad").mkdir()
    Path("bad/bad.jpg").write_bytes(b"")
    line = call("next", "bad", code=1).stderr.splitlines()[-1]
    assert line.startswith("error: no photo of bad can be read, e.g. bad/bad.jpg: ")


def test_copies_are_chosen_once(folder, call):
    for number in range(5):
        shutil.copy("new/deep/3_000.png", f"new/deep/copy_{number}.png")
    document = json.loads(call("next", "new", "--count", "3", "--format", "json").stdout)
    contents = {Path(photo["path"]).read_bytes() for photo in document["photos"]}
    assert len(contents) == 3


def test_no_keras_is_imported_on_ncnn(folder):
    code = (
        "import sys; from catsdogs.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, "next", "new", "--engine", "ncnn"]
    subprocess.run(command, check=True, capture_output=True)


def test_unsureness_is_what_is_short_of_a_lead_of_one():
    assert unsureness(np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]])).tolist() == (
        pytest.approx([0, 1, 0.8])
    )


def kinds(*counts):
    """Photos of so many of each kind, and which kind each is."""
    of_kind = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(0).normal(0, 0.01, (len(of_kind), len(counts)))
    return np.eye(len(counts))[of_kind] + noise, of_kind


def test_one_photo_a_kind_is_chosen_however_unsure_another_kind_is():
    features, of_kind = kinds(*[20] * 6)
    unsure = np.where(of_kind == 1, 0.5, 0.1) + np.linspace(0, 0.1, 120)
    probabilities = np.stack([1 - unsure / 2, unsure / 2], axis=1)
    assert choose_photos(probabilities, features, 4) == [39, 119, 99, 79]


def test_copies_of_one_photo_leave_the_others_to_be_chosen():
    features, _ = kinds(1, 1, 1)
    probabilities = np.array([[0.6, 0.4]] * 20 + [[0.9, 0.1], [0.8, 0.2]])
    features = features[[0] * 20 + [1, 2]]
    assert choose_photos(probabilities, features, 5) == [0, 1, 2, 21, 20]


def test_photos_that_are_nearly_the_same_are_chosen_from_without_a_warning():
    features = np.random.default_rng(0).normal(size=(4, 1280)).repeat(25, axis=0)
    features += np.random.default_rng(1).normal(0, 1e-7, features.shape)
    probabilities = np.tile([0.6, 0.4], (100, 1))
    chosen = choose_photos(probabilities, features.astype(np.float32), 20)
    assert len(set(chosen)) == 20


def test_photos_beyond_those_that_make_the_clusters_are_chosen_from_too(monkeypatch):
    monkeypatch.setattr("catsdogs.checking.label_next._MOST_CLUSTERED", 24)
    features, _ = kinds(*[20] * 6)
    unsure = np.arange(120) / 120
    probabilities = np.stack([1 - unsure / 2, unsure / 2], axis=1)
    assert choose_photos(probabilities, features, 4) == [119, 99, 79, 59]
    monkeypatch.setattr("catsdogs.checking.label_next._MOST_CLUSTERS", 6)
    assert choose_photos(probabilities, features, 8) == [119, 118, 99, 98, 79, 59, 39, 19]
