import csv
import json

import numpy as np
import pytest
from sklearn import metrics

from catsdogs.network.backbones.vgg16 import VGG16

REDDISH, BLUISH, GREY = (200, 90, 60), (60, 90, 200), (128, 128, 128)


@pytest.fixture
def folder(tmp_path, make_tiny_model, make_photos, monkeypatch):
    """A model, and 13 test photos: one of the cats is bluish, one cannot be read."""
    monkeypatch.chdir(tmp_path)
    make_tiny_model(tmp_path / "models" / "catsdogs.h5")
    make_photos(tmp_path / "data" / "test" / "cats", 5, 1, REDDISH)
    make_photos(tmp_path / "data" / "test" / "cats", 1, 2, BLUISH)
    make_photos(tmp_path / "data" / "test" / "dogs", 6, 3, BLUISH)
    (tmp_path / "data" / "test" / "dogs" / "bad.jpg").write_bytes(b"no picture")
    return tmp_path


BAD = {"path": "data/test/dogs/bad.jpg", "error": "not a picture, or damaged at its start"}


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_text_is_a_summary_that_ends_in_the_mistakes(folder, call):
    result = call("evaluate", "--precision", "float32")
    lines = result.stdout.splitlines()
    assert lines[:5] == [
        "models/catsdogs.h5 on data/test: 12 photos, 1 more could not be read",
        "",
        "accuracy           0.9167  95% interval 0.6461 to 0.9851",
        "balanced accuracy  0.9167  mean recall",
        "macro F1           0.9161  mean F1 of the classes",
    ]
    lines = lines[2:]
    assert [line.split()[0] for line in lines[3:6]] == ["log", "ROC", "calibration"]
    assert lines[6:16] == [
        "",
        "class  precision  recall      F1  photos",
        "cats      1.0000  0.8333  0.9091       6",
        "dogs      0.8571  1.0000  0.9231       6",
        "",
        "confusion matrix: rows are true, columns predicted",
        "      cats  dogs",
        "cats     5     1",
        "dogs     0     6",
        "",
    ]
    assert lines[16:18] == ["1 mistake", "probability  predicted  photo"]
    assert lines[18].split()[1:] == ["dogs", "data/test/cats/2_000.png"]
    assert len(lines) == 19
    assert result.stderr.splitlines() == [
        "warning: data/test/dogs/bad.jpg is not counted: not a picture, or damaged at its start",
    ]


def test_every_figure_can_be_recomputed_from_the_csv(folder, call):
    shown = json.loads(call("evaluate", "--format", "json", "--predictions", "p.csv").stdout)
    rows = [row for row in read_csv(folder / "p.csv") if not row["error"]]
    names = ["cats", "dogs"]
    labels = [names.index(row["label"]) for row in rows]
    predicted = [names.index(row["class"]) for row in rows]
    values = np.array([[float(row[name]) for name in names] for row in rows])
    values32 = values.astype(np.float32)  # what they are: written so that nothing is lost
    np.testing.assert_array_equal(values32.astype(np.float64), values)
    exact = {"abs": 1e-6, "rel": 0}
    assert shown["num_photos"] == 12
    assert shown["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted), **exact)
    balanced = metrics.balanced_accuracy_score(labels, predicted)
    assert shown["balanced_accuracy"] == pytest.approx(balanced, **exact)
    macro_f1 = metrics.f1_score(labels, predicted, average="macro")
    assert shown["macro_f1"] == pytest.approx(macro_f1, **exact)
    assert shown["remark"] == ""
    assert shown["log_loss"] == pytest.approx(metrics.log_loss(labels, values32), **exact)
    assert shown["roc_auc"] == pytest.approx(metrics.roc_auc_score(labels, values[:, 1]), **exact)
    assert shown["confusion_matrix"] == metrics.confusion_matrix(labels, predicted).tolist()
    table = zip(*metrics.precision_recall_fscore_support(labels, predicted), strict=True)
    for figures, expected in zip(shown["classes"], table, strict=True):
        found = [figures[key] for key in ("precision", "recall", "f1", "num_photos")]
        assert found == pytest.approx(expected, **exact)
    confidence, correct = values.max(axis=1), np.equal(predicted, labels)
    places = np.ceil(confidence * 15)
    error = sum(
        abs(confidence[places == place].sum() - correct[places == place].sum())
        for place in set(places)
    )
    assert shown["calibration_error"] == pytest.approx(error / 12, **exact)
    wrong = [row for row in rows if row["label"] != row["class"]]
    assert [(m["path"], m["label"], m["class"], m["probability"]) for m in shown["mistakes"]] == [
        (row["path"], row["label"], row["class"], float(row["probability"])) for row in wrong
    ]


def test_unreadable_photos_are_named_and_never_scored(folder, call):
    shown = json.loads(call("evaluate", "--format", "json", "--predictions", "out/p.csv").stdout)
    assert shown["unreadable"] == [BAD]
    assert sum(map(sum, shown["confusion_matrix"])) == 12
    row = next(row for row in read_csv(folder / "out" / "p.csv") if row["error"])
    assert row == {**BAD, "label": "dogs"} | dict.fromkeys(
        ("class", "probability", "cats", "dogs"), ""
    )


def test_predict_and_evaluate_agree_on_every_photo(folder, call):
    call("evaluate", "--predictions", "evaluated.csv")
    predicted = call("predict", "data/test", "--format", "csv", code=1).stdout
    (folder / "predicted.csv").write_text(predicted)
    evaluated = read_csv(folder / "evaluated.csv")
    for row in evaluated:
        assert row.pop("label") == row["path"].split("/")[-2]
    assert evaluated == read_csv(folder / "predicted.csv")


def test_folders_are_matched_to_classes_by_name(folder, call, make_tiny_model):
    (folder / "models" / "catsdogs.h5").unlink()
    make_tiny_model(folder / "models" / "catsdogs.h5", class_names=("dogs", "cats"))
    shown = json.loads(call("evaluate", "--format", "json").stdout)
    assert shown["class_names"] == ["dogs", "cats"]
    assert shown["confusion_matrix"] == [[0, 6], [5, 1]]  # this model calls what is red a dog


def test_beyond_two_classes_and_without_photos_of_one(folder, call, make_tiny_model):
    make_tiny_model(folder / "three.h5", class_names=("cats", "dogs", "owls"))
    result = call("evaluate", "--model", "three.h5", "--precision", "float32")
    assert "warning: data/test has no photos of owls" in result.stderr.splitlines()
    lines = result.stdout.splitlines()
    assert lines[6].endswith("  mean of each class against the rest")
    assert "owls           -       -       -       0" in lines


def test_one_class_alone_has_no_area(folder, call):
    for path in (folder / "data" / "test" / "dogs").iterdir():
        path.unlink()
    result = call("evaluate")
    assert "ROC AUC            -       not defined: all photos are of one class" in (
        result.stdout.splitlines()
    )


def test_a_model_of_many_classes_has_its_confusions_listed(folder, call, make_tiny_model):
    names = ("cats", "dogs", *(f"kind {number}" for number in range(10)))
    make_tiny_model(folder / "many.h5", class_names=names)
    lines = call("evaluate", "--model", "many.h5").stdout.splitlines()
    start = lines.index("most frequent confusions (the whole matrix: in the JSON)")
    assert lines[start + 1 : start + 3] == ["1  cats taken for dogs", ""]


@pytest.mark.parametrize(("least", "code"), [("0", 0), ("0.9166", 0), ("0.92", 1), ("1", 1)])
def test_min_accuracy_is_a_gate(folder, call, least, code):
    result = call("evaluate", "--min-accuracy", least, code=code)
    assert result.stdout.splitlines()[2].startswith("accuracy           0.9167")
    message = f"accuracy 0.9167 is below the {least} of --min-accuracy"
    assert (result.stderr.splitlines()[-1] == message) == (code == 1)


def test_a_gate_on_photos_that_were_trained_on_does_not_open(folder, call):
    (folder / "data" / "test").rename(folder / "data" / "train")
    result = call("evaluate", "data/train", "--min-accuracy", "0", code=1)
    assert result.stdout.splitlines()[2] == (
        "accuracy           0.9167  of photos that it was trained on: expect less of others"
    )
    assert result.stderr.splitlines()[-1] == (
        "the model was trained on data/train, so that --min-accuracy can tell nothing: "
        "give photos that it has not seen"
    )
    shown = json.loads(call("evaluate", "data/train", "--format", "json").stdout)
    assert shown["trained_on"] is True


@pytest.mark.parametrize("share", ["1.01", "-0.1", "nan", "98"])
def test_min_accuracy_is_a_share(folder, call, share):
    result = call("evaluate", "--min-accuracy", share, code=2)
    assert result.stderr.splitlines()[-1] == (
        f"error: Invalid value for '--min-accuracy': expected a share from 0 to 1, got {share}: "
        "see `catsdogs evaluate --help`"
    )


def test_no_readable_photo_is_an_error(folder, call):
    for path in (folder / "data" / "test").glob("*/*.png"):
        path.unlink()
    result = call("evaluate", code=1)
    assert result.stderr.splitlines()[-1] == (
        "error: no photo of data/test can be read, e.g. data/test/dogs/bad.jpg: "
        "not a picture, or damaged at its start"
    )


@pytest.mark.slow
def test_a_model_that_answers_no_numbers_is_an_error(folder, call, make_tiny_model):
    # the weights are finite, what it computes is not
    make_tiny_model(folder / "nan.h5", sureness=3e38, backbone=VGG16)
    result = call("evaluate", "--model", "nan.h5", code=1)
    assert result.stderr.splitlines()[-1] == (
        "error: nan.h5 answers with probabilities that are no numbers: train it again, "
        "or compute in float32 by --precision"
    )


def test_predictions_that_cannot_be_written_are_found_out_at_once(folder, call):
    result = call("evaluate", "--predictions", "data", code=1)
    assert result.stderr == (
        "error: data cannot be written (is a folder): choose another place by --predictions FILE\n"
    )
