"""The Python API: answers as the commands', and nothing printed, changed or left behind."""

import doctest
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import catsdogs
from catsdogs import api
from catsdogs.cli import main
from catsdogs.config_file import settled_config

TINY = {
    "subsample": 20,
    "model": {"backbone": "tiny", "weights": "random", "image_size": (32, 32)},
}

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_backbone):
    """The built-in photos, a model trained on them, and one photo beside it."""
    folder = tmp_path_factory.mktemp("api")
    before = Path.cwd()
    os.chdir(folder)
    try:
        CliRunner().invoke(main, ["sample"])
        shutil.copy(next(iter(sorted(Path("data/test/cats").iterdir()))), "image.jpg")
        catsdogs.train("data", epochs=1, **TINY)
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)


def call(*arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_importing_catsdogs_imports_nothing_else():
    code = (
        "import sys, catsdogs;"
        "print([m for m in ('numpy', 'PIL', 'pydantic', 'rich', 'keras') if m in sys.modules]);"
        "print(callable(catsdogs.load), catsdogs.errors.DataError.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == "[]"
    assert second == "True DataError"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = catsdogs.nothing
    assert set(catsdogs.__all__) <= set(dir(catsdogs))
    assert len(set(dir(catsdogs))) == len(dir(catsdogs))


@pytest.mark.slow
def test_examples_in_the_docstrings_are_true():
    names = {"catsdogs": catsdogs, "Path": Path}
    finder = doctest.DocTestFinder()
    found = [*finder.find(api, globs=names), *finder.find(catsdogs.Config, "Config", globs=names)]
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in found:
        runner.run(test)
    assert runner.tries > 10
    assert runner.failures == 0


@pytest.mark.slow
def test_examples_in_the_documentation_are_true():
    page = Path(catsdogs.__file__).parents[1] / "docs" / "python-api.md"
    results = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8"
    )
    assert results.attempted > 10
    assert results.failed == 0


def test_predictions_are_those_of_the_command_to_the_last_digit():
    photos = sorted(map(str, Path("data/test/dogs").iterdir()))[:5]
    told = call("predict", *photos, "--format", "json")
    answers = catsdogs.load().predict(photos)
    assert [dict(answer.probabilities) for answer in answers] == [
        record["probabilities"] for record in told
    ]
    assert [answer.class_name for answer in answers] == [record["class"] for record in told]


def test_a_photo_in_any_form_is_given_the_same_answer(tmp_path):
    model = catsdogs.load()
    path = tmp_path / "photo.png"
    Image.open("image.jpg").convert("RGB").save(path)
    pixels = np.asarray(Image.open(path))
    expected = model.predict(path)
    assert 0 < expected.probability <= 1
    for form in (str(path), path.read_bytes(), Image.open(path), pixels):
        assert model.predict(form) == expected
    assert len(model.predict(np.stack([pixels, pixels]))) == 2
    (streamed,) = model.predict(iter([path]))  # in a batch whose size is for many
    assert streamed.probability == pytest.approx(expected.probability, abs=1e-2)
    assert model.predict([]) == []


def test_what_is_no_photo_is_named():
    model = catsdogs.load()
    with pytest.raises(catsdogs.errors.DataError, match=r"^a photo given as int: int is no photo"):
        model.predict(5)
    (answer,) = model.predict([None])
    assert answer.error.startswith("NoneType is no photo: ")


def test_a_photo_that_cannot_be_read_is_an_error_alone_and_an_answer_among_others(tmp_path):
    model = catsdogs.load()
    with pytest.raises(catsdogs.errors.DataError, match=r"^missing.jpg: no such file"):
        model.predict("missing.jpg")
    with pytest.raises(catsdogs.errors.DataError, match="an array of float64"):
        model.predict(np.zeros((8, 8, 3)))
    missing, found = model.predict(["missing.jpg", "image.jpg"])
    assert (missing.class_name, missing.probability) == ("", 0)
    assert missing.error
    assert missing.error in missing._repr_html_()
    assert found.error == ""


def test_evaluation_is_that_of_the_command_to_the_last_digit():
    told = call("evaluate", "--format", "json")
    evaluation = catsdogs.load().evaluate()
    assert told["accuracy"] == evaluation.accuracy
    assert told["log_loss"] == evaluation.loss
    assert told["interval"] == list(evaluation.interval)
    assert repr(evaluation) == f"<catsdogs evaluation: {evaluation.score}>"


def test_explanation_is_that_of_the_command_to_the_last_pixel(tmp_path):
    CliRunner().invoke(main, ["explain", "image.jpg", "--output", str(tmp_path / "a.png")])
    explanation = catsdogs.load().explain("image.jpg")
    explanation.save(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert explanation._repr_png_().startswith(b"\x89PNG")
    assert repr(explanation) == f"<catsdogs explanation of {explanation.class_name}>"
    assert catsdogs.load().explain("image.jpg", class_name="dogs").class_name == "dogs"
    with pytest.raises(catsdogs.errors.ConfigError):
        catsdogs.load().explain("image.jpg", class_name="fish")


@pytest.mark.slow
def test_a_training_is_that_of_the_command_to_the_last_digit():
    result = catsdogs.train("data", epochs=2, output="models/a.h5", **TINY)
    arguments = ["--subsample=20", "--epochs=2", "--output=models/b.h5"]
    settings = ["--backbone=tiny", "--set=model.image_size=[32,32]", "--set=model.weights=random"]
    assert CliRunner().invoke(main, ["train", *arguments, *settings]).exit_code == 0
    ours, theirs = catsdogs.load("models/a.h5"), catsdogs.load("models/b.h5")
    assert ours.metadata.validation == theirs.metadata.validation == result.score
    assert ours.predict("image.jpg") == theirs.predict("image.jpg")
    assert ours.metadata.run_id != theirs.metadata.run_id


@pytest.mark.slow
def test_fine_tuning_takes_a_model_a_result_or_a_path():
    result = catsdogs.train("data", epochs=1, output="models/c.h5", **TINY)
    few = {"subsample": 20, "epochs": 1, "head_epochs": 1}
    tuned = catsdogs.finetune(catsdogs.load(result.model_path), data="data", **few)
    assert tuned.model_path == result.model_path
    metadata = catsdogs.load("models/c.h5").metadata
    assert metadata.stage == "finetune"
    assert metadata.start_run_id == catsdogs.load("models/c.head.h5").metadata.run_id
    other = catsdogs.finetune(result, output="models/d.h5", **few)
    assert other.model_path == Path("models/d.h5")


def test_nothing_is_printed_and_progress_is_told_in_lines(capfd):
    random.seed(1)
    np.random.seed(1)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    lines = []
    catsdogs.train("data", epochs=1, progress=lines.append, output="models/e.h5", **TINY)
    catsdogs.load().evaluate("data/test")
    assert capfd.readouterr() == ("", "")
    assert any(line.startswith("epoch 1/1  loss ") for line in lines)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    drawn = random.random(), np.random.random()
    random.seed(1)
    np.random.seed(1)
    assert drawn == (random.random(), np.random.random())


def test_settings_are_given_by_name_section_or_file(tmp_path):
    def made(data=None, config=None, **settings):
        return settled_config("train", data, config, settings)

    assert made(epochs=3, subsample=4).train.epochs == 3
    assert made(learning_rate=0.5).train.learning_rate == 0.5
    assert made(**{"finetune.epochs": 9}).finetune.epochs == 9
    assert made(augment={"views": 2}).augment.views == 2
    assert made(data=Path("photos")).data.dir == "photos"
    assert made(config=catsdogs.Config(seed=7), epochs=2).seed == 7
    (tmp_path / "mine.toml").write_text("seed = 8\n")
    assert made(config=tmp_path / "mine.toml").seed == 8
    with pytest.raises(catsdogs.errors.ConfigError, match=r"unknown key lerning_rate"):
        made(lerning_rate=1)


def test_an_evaluation_and_a_prediction_are_tables_in_a_notebook():
    html = catsdogs.load().evaluate("data/test")._repr_html_()
    assert "95% interval" in html
    assert html.count("<table>") == 2
    html = api.Prediction({"<b>": 0.75, "dogs": 0.25})._repr_html_()
    assert "&lt;b&gt;" in html
    assert "0.7500" in html


def test_an_evaluation_on_photos_that_were_trained_on_says_so():
    evaluation = catsdogs.load().evaluate("data/train")
    assert evaluation.trained_on
    for shown in (repr(evaluation), evaluation._repr_html_()):
        assert "that the model was trained on, which says nothing about others" in shown
        assert "interval" not in shown
