"""A model that may say neither says so in every format, alike, and only where it was asked to."""

import csv
import io
import json
import shutil

import h5py
import numpy as np
import pytest

import catsdogs
from catsdogs.errors import ConfigError
from catsdogs.model.known_photos import GROUP
from catsdogs.model.predictor import ModelRequest, Predictor
from tests.conftest import BLUISH, REDDISH

pytestmark = pytest.mark.slow

SHARE = 0.02


@pytest.fixture
def folder(tmp_path, monkeypatch, careful_models, make_photos):
    """Models that know noise of two colours, and photos: one of each, a chequered one, none."""
    monkeypatch.chdir(tmp_path)
    for path in careful_models.glob("*.h5"):
        shutil.copy(path, tmp_path)
    photos = tmp_path / "photos"
    make_photos(photos, 1, 11, REDDISH)[0].rename(photos / "cat.png")
    make_photos(photos, 1, 12, BLUISH)[0].rename(photos / "dog.png")
    shutil.copy(careful_models / "sofa.png", photos)
    (photos / "bad.jpg").write_bytes(b"no photo")
    return tmp_path


def test_a_model_that_could_refuse_answers_as_any_other_unless_it_is_asked(folder, call):
    arguments = ("predict", "photos", "--format", "csv", "--model")
    plain = call(*arguments, "plain.h5", code=1).stdout
    assert call(*arguments, "careful.h5", code=1).stdout == plain
    assert call(*arguments, "strict.h5", "--unknown", "0", code=1).stdout == plain


def test_text_names_neither_with_how_strange_it_is(folder, call):
    lines = call("predict", "photos", "--model", "strict.h5", code=1).stdout.splitlines()
    names = {line.split("\t")[0]: line.split("\t")[1:] for line in lines}
    assert names["photos/cat.png"][0] == "cats"
    assert names["photos/dog.png"][0] == "dogs"
    assert names["photos/sofa.png"] == ["neither", f"{240 / 241:.4f}", "strangeness"]
    assert names["photos/bad.jpg"][0] == "error"


def test_more_lines_name_the_classes_after_neither(folder, call):
    lines = call(
        "predict", "photos/sofa.png", "--model", "strict.h5", "--top", "2"
    ).stdout.splitlines()
    first, second = (line.split("\t")[1] for line in lines)
    assert first == "neither"
    assert second in ("cats", "dogs")


def test_answers_with_neither_among_them_are_gone_on_with(folder, call):
    arguments = ("predict", "photos/sofa.png", "photos/cat.png", "--model", "strict.h5")
    call(*arguments, "--output", "answers.txt")
    whole = (folder / "answers.txt").read_text()
    assert whole.startswith("photos/sofa.png\tneither\t")
    (folder / "answers.txt").write_text(whole[:-9])
    call(*arguments, "--output", "answers.txt", "--resume")
    assert (folder / "answers.txt").read_text() == whole


def test_every_format_says_the_same(folder, call):
    arguments = ("predict", "photos", "--model", "careful.h5", "--unknown", 0.05)
    records = json.loads(call(*arguments, "--format", "json", code=1).stdout)
    lines = call(*arguments, "--format", "jsonl", code=1).stdout.splitlines()
    assert [json.loads(line) for line in lines] == records
    rows = list(csv.DictReader(io.StringIO(call(*arguments, "--format", "csv", code=1).stdout)))
    assert list(rows[0]) == [
        "path", "class", "probability", "strangeness", "cats", "dogs", "error"
    ]  # fmt: skip
    model = catsdogs.load("careful.h5", unknown=0.05)
    answers = model.predict([record["path"] for record in records])
    for record, row, answer in zip(records, rows, answers, strict=True):
        if "error" in record:
            assert row["class"] == row["strangeness"] == answer.class_name == ""
            continue
        assert record["class"] == row["class"] == answer.class_name
        assert record["strangeness"] == float(row["strangeness"]) == answer.strangeness
        assert record["probability"] == max(record["probabilities"].values())
        assert answer.probability == record["probability"]
    assert [record.get("class") for record in records] == [None, "cats", "dogs", "neither"]


def test_a_notebook_shows_neither(folder):
    html = catsdogs.load("strict.h5").predict("photos/sofa.png")._repr_html_()
    assert html.startswith(f"<p>neither, strangeness {240 / 241:.4f}</p><table>")


def test_both_engines_refuse_alike(careful_models):
    paths = sorted((careful_models / "known").glob("*.png"))
    path = careful_models / "careful.h5"
    found = np.array(
        [
            [answer.strangeness for answer in predictor.answer(paths)]
            for predictor in (
                Predictor(ModelRequest(path, "float32", engine=name)) for name in ("ncnn", "keras")
            )
        ]
    )
    assert np.abs(found[0] - found[1]).max() < 0.06  # two of forty change places


def test_what_is_strange_is_explained_by_its_most_probable_class(folder, call):
    line = call("explain", "photos/sofa.png", "--model", "strict.h5", "--output", "x.png").stdout
    assert line.split("\t")[1] in ("cats", "dogs")


def test_evaluate_says_what_is_answered_and_how_much_of_it_is_right(folder, call, make_photos):
    make_photos(folder / "test" / "cats", 10, 21, REDDISH)
    make_photos(folder / "test" / "dogs", 9, 22, BLUISH)
    (folder / "photos" / "sofa.png").rename(folder / "test" / "dogs" / "sofa.png")
    arguments = ("evaluate", "test", "--model", "strict.h5", "--precision", "float32")
    found = json.loads(call(*arguments, "--format", "json").stdout)["refusal"]
    assert found["share"] == SHARE
    assert found["num_photos"] == 20
    assert found["num_answered"] in range(16, 20)
    assert found["coverage"] == found["num_answered"] / 20
    assert found["accuracy"] == 1
    lines = call(*arguments, "--predictions", "answers.csv").stdout.splitlines()
    low, high = found["interval"]
    assert (
        f"refusing 0.02 of ordinary photos, it answers {found['coverage']:.4f} of these, 1.0000 "
        f"of them right (95% interval {low:.4f} to {high:.4f})" in lines
    )
    text = (folder / "answers.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["class"] for row in rows if "sofa" in row["path"]] == ["neither"]
    assert list(rows[0])[:5] == ["path", "label", "class", "probability", "strangeness"]


def test_evaluate_has_nothing_to_say_of_a_model_that_cannot_tell(folder, call, make_photos):
    make_photos(folder / "test" / "cats", 2, 21, REDDISH)
    make_photos(folder / "test" / "dogs", 2, 22, BLUISH)
    result = call("evaluate", "test", "--model", "plain.h5")
    assert "refusing" not in result.stdout
    found = call("evaluate", "test", "--model", "plain.h5", "--format", "json").stdout
    assert json.loads(found)["refusal"] is None


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_model_that_cannot_tell_is_named_in_a_line(folder, call, command):
    result = call(command, "photos", "--model", "plain.h5", "--unknown", "0.02", code=2)
    assert result.stderr.splitlines()[-1] == (
        "error: plain.h5 cannot tell photos of other things from those of its classes: train it "
        "again, or ask for a share of 0 by --unknown SHARE"
    )


def test_too_small_a_share_is_named_in_a_line(folder, call):
    result = call("predict", "photos", "--model", "careful.h5", "--unknown", "0.01", code=2)
    assert result.stderr.splitlines()[-1] == (
        "error: careful.h5 has 40 held-out photos to judge by, too few to refuse a share of 0.01: "
        "train it with more photos, train it with train.folds = 5 and head.kind = logistic, which "
        "judges by all photos, or ask for 0.025 or more by --unknown SHARE"
    )


@pytest.mark.parametrize(("unknown", "says_so"), [(None, False), (0.05, True)])
def test_a_page_from_python_refuses_as_the_model_that_wrote_it(
    folder, class_folders, unknown, says_so
):
    catsdogs.load("careful.h5", unknown=unknown).export("page.html", data=class_folders)
    assert ('"refusal":{"share":0.05' in (folder / "page.html").read_text()) == says_so


@pytest.mark.parametrize("share", ["0.6", "-0.1", "nan"])
def test_no_share_is_more_than_half_or_less_than_none(folder, call, share):
    assert (
        "expected a share from 0 to 0.5"
        in call("predict", "photos", "--model", "careful.h5", "--unknown", share, code=2).stderr
    )
    with pytest.raises(ConfigError, match="unknown should be a share"):
        catsdogs.load("careful.h5", unknown=float(share))


@pytest.mark.parametrize("engine", ["ncnn", "keras"])
def test_a_damaged_table_is_named_in_a_line(folder, call, engine):
    with h5py.File(folder / "careful.h5", "r+") as file:
        file[GROUP]["mean"][3] = np.nan
    result = call("predict", "photos", "--model", "careful.h5", "--engine", engine, code=1)
    assert result.stderr.splitlines()[-1].startswith("error: careful.h5 is damaged (")


@pytest.mark.parametrize("engine", ["ncnn", "keras"])
def test_a_table_of_another_network_is_named_in_a_line(folder, call, engine):
    with h5py.File(folder / "careful.h5", "r+") as file:
        group = file[GROUP]
        mean, axes = group["mean"][:-1], group["axes"][:-1]
        del group["mean"], group["axes"]
        group["mean"], group["axes"] = mean, axes
    result = call("predict", "photos", "--model", "careful.h5", "--engine", engine, code=1)
    assert result.stderr.splitlines()[-1] == (
        "error: careful.h5 is damaged (it knows photos by 511 features, and pools 512): "
        "train it again, or give another by --model FILE"
    )
