"""A classifier whose head is solved: trained, saved, resumed, explained and fine-tuned."""

import csv
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from catsdogs.config import Config, HeadConfig, ModelConfig
from catsdogs.config_file import load_config
from catsdogs.errors import ConfigError
from catsdogs.model.metadata import read_metadata
from catsdogs.training.history import Epoch, Progress

TINY = (
    "--set=model.backbone=tiny",
    "--set=model.image_size=[32,32]",
    "--set=model.weights=random",
    "--set=precision=float32",
)


@pytest.fixture(autouse=True)
def elsewhere(tiny_backbone, class_folders, workplace):
    """Photos in data/ of the current folder."""


def history(run):
    with (run / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_logistic_head_has_no_hidden_layer():
    assert load_config(None, {"head.kind": "logistic"}).model.head_units == 0
    assert Config(head=HeadConfig(kind="logistic")).model.head_units == 0
    with pytest.raises(ConfigError) as refusal:
        load_config(None, {"head.kind": "logistic", "model.head_units": 8})
    assert str(refusal.value) == (
        "model.head_units should be 0 with head.kind = logistic, got 8: leave it out, or set "
        "head.kind = dense"
    )


def test_train_solve_and_answer(call, tmp_path):
    shown = call("train", "--set", "head.kind=logistic", *TINY)
    assert "validation accuracy 1.0000" in shown.stdout
    metadata = read_metadata(tmp_path / "models" / "catsdogs.h5")
    assert (metadata.kept_epoch, metadata.architecture.head_units) == (1, 0)
    (run,) = (tmp_path / "runs").iterdir()
    assert [row["number"] for row in history(run)] == ["1"]
    model = keras.models.load_model(tmp_path / "models" / "catsdogs.h5", compile=False)
    assert [layer.name for layer in model.layers][-2:] == ["pooling", "probabilities"]
    answers = call("predict", "data/validation", "--format", "csv").stdout.splitlines()[1:]
    assert [("/cats/" in row, ",cats," in row) for row in answers].count((True, True)) == 2
    call("evaluate", "--min-accuracy", "1")
    call("explain", "data/validation/cats/3_000.png", "--output", "heat.png")
    call("report")
    again = call("train", "--set", "head.kind=logistic", "--output", "again.h5", *TINY)
    assert "frozen layers" not in again.stderr
    with h5py.File("models/catsdogs.h5") as one, h5py.File("again.h5") as other:
        path = "model_weights/probabilities/probabilities/kernel"
        kernels = [file[path][()] if path in file else None for file in (one, other)]
    if kernels[0] is not None:
        np.testing.assert_array_equal(*kernels)


VGG16 = ("--set=model.backbone=vgg16", *TINY[1:])


def imported_by(*arguments):
    """Which of the heavy packages a command imports, in a process of its own."""
    code = (
        "import sys; from catsdogs.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print([m for m in ('keras', 'tensorflow', 'matplotlib', 'ncnn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_head_is_solved_without_keras_unless_keras_has_to_compute_its_features(call, tmp_path):
    solved = ("train", "--set=head.kind=logistic", *VGG16)
    by_ncnn = (*solved, "--set=engine=ncnn")
    assert imported_by(*by_ncnn) == "['ncnn']"
    by_keras = (*solved, "--set=engine=keras")
    assert imported_by(*by_keras) == "['keras', 'tensorflow']"
    assert imported_by(*by_keras) == "[]"
    call(*by_keras, "--output", "again.h5")
    answers = [
        keras.models.load_model(path, compile=False).get_weights()
        for path in ("models/catsdogs.h5", "again.h5")
    ]
    for one, other in zip(*answers, strict=True):
        np.testing.assert_array_equal(one, other)
    assert imported_by("curve", "--set=engine=keras", *VGG16) == "[]"


def test_features_that_a_dense_head_left_are_found_by_a_solved_one(call):
    call("train", "--epochs=1", "--set=engine=keras", *TINY)
    shown = call("train", "--set=head.kind=logistic", "--set=engine=keras", *TINY)
    assert "frozen layers" not in shown.stderr


@pytest.mark.slow
def test_finetune_starts_from_a_solved_head(call, tmp_path):
    call("train", "--set", "head.kind=logistic", *TINY)
    call("finetune", "--epochs", "1")
    assert read_metadata(tmp_path / "models" / "catsdogs.h5").stage == "finetune"


def test_views_of_every_epoch_do_not_matter_to_it(call):
    call("train", "--set", "head.kind=logistic", "--set", "augment.views=0", *TINY)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "logistic"])
def test_balanced_classes_weigh_in_the_loss_and_not_in_the_accuracy(call, make_photos, kind):
    make_photos(Path("data/train/cats"), 12, 9)
    outputs = {}
    for weights in ("none", "balanced"):
        call("train", f"--set=head.kind={kind}", f"--set=head.class_weights={weights}", *TINY)
        outputs[weights] = read_metadata(Path("models/catsdogs.h5"))
    assert outputs["none"].validation.loss != outputs["balanced"].validation.loss


def test_model_config_without_a_hidden_layer_trains_in_epochs_too(call):
    call("train", "--epochs", "1", "--set", "model.head_units=0", *TINY)
    assert ModelConfig(head_units=0).head_units == 0


def test_folds_answer_for_every_photo_and_the_head_knows_all(call, tmp_path):
    shown = call("train", "--folds", "3", *TINY)
    assert "12 photos)" in shown.stdout
    assert sum(line.startswith("accuracy of each") for line in shown.stderr.splitlines()) == 2
    metadata = read_metadata(tmp_path / "models" / "catsdogs.h5")
    assert metadata.validation.num_photos == metadata.num_photos["train"] == 12
    warned = call("evaluate").stderr
    assert "the model was trained on data/validation" in warned


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train.folds": 1}, "train.folds should be 0 or at least 2, got 1"),
        (
            {"train.folds": 5, "head.kind": "dense"},
            "head.kind should be logistic with train.folds = 5: a dense head needs photos set "
            "aside to know when to stop",
        ),
    ],
)
def test_folds_that_cannot_be(settings, message):
    with pytest.raises(ConfigError) as refusal:
        load_config(None, settings)
    assert str(refusal.value) == message


def test_curve_draws_and_tells(call, make_photos, tmp_path):
    for seed, name in enumerate(("cats", "dogs")):
        make_photos(Path("data/train") / name, 20, 50 + seed)
    shown = call("curve", "--output", "curve.png", *TINY).stdout.splitlines()
    assert shown[0].split() == ["trained", "on", "accuracy", "95%", "interval", "fit"]
    assert shown[-3] == "each accuracy over 52 photos, by heads that had not seen them"
    assert shown[-2].startswith("twice as many photos, ")
    assert shown[-1] == "saved curve.png"
    assert Path("curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_finetune_first_brings_the_head_up_to_the_photos(call, tmp_path):
    settings = ("--epochs", "1", "--set", "train.learning_rate=1e-6", *TINY)
    call("train", *settings)
    weak = read_metadata(tmp_path / "models" / "catsdogs.h5").validation.loss
    shown = call("finetune", "--epochs", "1", "--set", "finetune.learning_rate=1e-9")
    assert "epoch 0/1  with the new head" in shown.stderr
    assert "at the start" in shown.stdout
    assert read_metadata(tmp_path / "models" / "catsdogs.h5").validation.loss < weak
    without = call("finetune", "--epochs", "1", "--set", "finetune.head_epochs=0")
    assert "epoch 0/1  as it was" in without.stderr


@pytest.mark.parametrize(
    ("losses", "falling"),
    [([0.9], False), ([0.9, 0.8], True), ([0.9, 0.899], False), ([0.7, 0.9, 0.8], False)],
)
def test_a_training_cut_short_is_known_by_its_last_epochs(losses, falling):
    epochs = [Epoch(n, 1e-3, 1.0, 0.5, loss, 0.5, 1.0) for n, loss in enumerate(losses, 1)]
    assert Progress(epochs).is_still_falling is falling


def test_one_answer_for_all_is_called_that(call, make_photos):
    for path in Path("data/validation/dogs").iterdir():
        path.unlink()
    shown = call("train", "--epochs", "1", "--set", "train.learning_rate=1e-9", *TINY)
    assert "is no better than always answering cats, the class of 2 of 2 photos" in shown.stderr
