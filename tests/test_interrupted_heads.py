"""Solved heads, and heads brought up before a fine-tuning, that are stopped and resumed."""

from pathlib import Path

import pytest
from test_interruptions import (
    AskedOften,
    assert_same_weights,
    call,
    epochs_of,
    newest_run,
    weights_of,
)

from catsdogs.commands.finetune import finetune
from catsdogs.commands.train import train
from catsdogs.config_file import load_config
from catsdogs.console import Console
from catsdogs.model.metadata import read_metadata
from catsdogs.training.supervision import StopRequested

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tiny_backbone")]

MODEL = Path("models", "catsdogs.h5")
SMALL = {
    "model.backbone": "tiny",
    "model.image_size": [32, 32],
    "model.weights": "random",
    "precision": "float32",
}
SOLVED = load_config(None, {**SMALL, "head.kind": "logistic"})


@pytest.fixture(autouse=True)
def elsewhere(class_folders, monkeypatch):
    monkeypatch.chdir(class_folders.parent)
    monkeypatch.setenv("XDG_CACHE_HOME", str(class_folders.parent / "cache"))


def test_a_solved_head_goes_on_from_where_its_features_were_stopped():
    train(SOLVED, Console())
    expected, history = weights_of(MODEL), epochs_of(newest_run())
    MODEL.unlink()
    call("cache", "--clear")
    with pytest.raises(StopRequested, match="`catsdogs train --resume` carries on"):
        train(SOLVED, Console(), AskedOften(0))
    stopped = newest_run()
    call("train", "--resume")
    assert newest_run().path == stopped.path
    assert epochs_of(stopped) == history
    assert_same_weights(MODEL, expected)


@pytest.mark.parametrize("folds", [0, 3])
def test_a_head_is_stopped_while_it_is_solved(folds):
    config = SOLVED if not folds else load_config(None, {**SMALL, "train.folds": folds})
    train(config, Console())
    expected = weights_of(MODEL)
    MODEL.unlink()
    with pytest.raises(StopRequested, match="`catsdogs train --resume` carries on"):
        train(config, Console(), AskedOften(20))  # the features are there: the solver asks
    assert not MODEL.exists()
    call("train", "--resume")
    assert_same_weights(MODEL, expected)


def test_a_solved_head_that_found_no_room_is_saved_on_resume_without_solving_again(
    file_size_limit,
):
    # VGG16's 59 MB do not fit into a file, not even into that by which ncnn takes them; the head
    # in the checkpoint does
    settings = {**SMALL, "model.backbone": "vgg16", "engine": "keras"}
    settings = [f"--set={key}={value}" for key, value in settings.items()]
    call("train", "--set=head.kind=logistic", *settings)
    expected = weights_of(MODEL)
    MODEL.unlink()
    with file_size_limit(20 * 2**20):
        refused = call("train", "--set=head.kind=logistic", *settings, code=1)
    assert "`catsdogs train --resume` carries on after epoch 1" in refused.stderr
    resumed = call("train", "--resume")
    assert "solved, C = " not in resumed.stderr
    assert_same_weights(MODEL, expected)


@pytest.mark.parametrize("kind", ["dense", "logistic"])
def test_a_finetuning_that_is_stopped_at_its_head_ends_as_never_stopped(kind):
    start = load_config(None, {**SMALL, "head.kind": kind, "train.epochs": 1})
    train(start, Console())
    before = MODEL.read_bytes()
    config = load_config(
        None, {"finetune.epochs": 1, "finetune.learning_rate": 1e-3}, fixed_model=start.model
    )
    finetune(config, None, Console())
    expected, history = weights_of(MODEL), epochs_of(newest_run())
    assert read_metadata(MODEL).stage == "finetune"
    MODEL.write_bytes(before)
    call("cache", "--clear")
    with pytest.raises(StopRequested, match="`catsdogs finetune --resume` carries on"):
        finetune(config, None, Console(), AskedOften(0 if kind == "logistic" else 4))
    stopped = newest_run()
    resumed = call("finetune", "--resume")
    assert "the head alone first, on stored features" in resumed.stderr
    assert newest_run().path == stopped.path
    assert epochs_of(stopped) == history
    assert_same_weights(MODEL, expected)
