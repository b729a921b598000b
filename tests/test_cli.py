import csv
import io
import json
import re
import shutil
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from catsdogs.cli import main
from catsdogs.data.images import read_photo
from catsdogs.model.metadata import read_metadata
from catsdogs.run import list_run_dirs
from catsdogs.training.cache_folder import list_stores

NO_MODEL = (
    "error: no model at models/catsdogs.h5: run `catsdogs train` first, "
    "or give another by --model FILE"
)
SMALL = ["--set", "model.image_size=[32, 32]", "--set", "model.weights=random"]
TINY = [*SMALL, "--backbone", "tiny"]

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture
def folder(workplace):
    """A working folder with photos of two plain classes, and a cache of its own."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 8), ("validation", 4)):
        for channel, name in enumerate(("green", "red")):
            (workplace / "data" / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 80, (40, 50, 3)).astype(np.uint8)
                pixels[..., 1 - channel] += 150
                Image.fromarray(pixels).save(workplace / "data" / split / name / f"{number}.png")
    return workplace


def call(*arguments, code=0):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


@pytest.fixture
def trained(folder, template):
    """The folder after a training of three epochs."""
    if template.exists():
        shutil.copytree(template, folder, dirs_exist_ok=True)
    else:
        call("train", "--epochs", "3", *TINY)
        shutil.copytree(folder, template)
    return folder


@pytest.mark.slow
def test_train_finetune_and_predict_one_after_the_other(folder):
    train = call("train", "--subsample", "2", "--epochs", "1", *SMALL)
    lines = train.stdout.splitlines()
    assert lines[0].startswith("validation accuracy ")
    assert lines[0].endswith(", 4 photos)")
    assert lines[1].startswith("saved models/catsdogs.h5 after ")
    (run,) = (folder / "runs").iterdir()
    assert lines[2] == f"`catsdogs report runs/{run.name}` makes a page of its record"
    finetune = call("finetune", "--epochs", "2")
    assert finetune.stdout.startswith("kept epoch ")
    assert (folder / "models" / "catsdogs.head.h5").exists()
    assert read_metadata(folder / "models" / "catsdogs.h5").stage == "finetune"
    assert read_metadata(folder / "models" / "catsdogs.head.h5").stage == "train"
    predict = call("predict", "data/validation/red/0.png")
    path, name, probability = predict.stdout.rstrip("\n").split("\t")
    assert path == "data/validation/red/0.png"
    assert name in ("green", "red")
    assert 0.5 <= float(probability) <= 1


def test_metadata_says_what_was_trained_on_what(trained):
    metadata = read_metadata(trained / "models" / "catsdogs.h5")
    assert metadata.class_names == ("green", "red")
    assert metadata.num_photos == {"train": 16, "validation": 8}
    assert metadata.config["train"]["epochs"] == 3
    assert metadata.config["data"]["dir"] == "data"
    assert metadata.validation.num_photos == 8
    assert metadata.weights.source == "random"


def test_predict_gives_plain_keras_probabilities_on_the_same_pixels(trained):
    result = call("predict", "data/validation", "--format", "json", "--precision", "float32")
    rows = json.loads(result.stdout)
    plain = keras.models.load_model(trained / "models" / "catsdogs.h5", compile=False)
    images = np.stack([read_photo(trained / row["path"], (32, 32)) for row in rows])
    ours = [[row["probabilities"][name] for name in ("green", "red")] for row in rows]
    np.testing.assert_allclose(ours, plain.predict(images, verbose=0), atol=1e-5)


def test_prediction_of_the_validation_folder_gives_the_validation_accuracy(trained):
    rows = json.loads(call("predict", "data/validation", "--format", "json").stdout)
    correct = np.mean([row["class"] == row["path"].split("/")[-2] for row in rows])
    saved = read_metadata(trained / "models" / "catsdogs.h5").validation
    assert saved.accuracy == pytest.approx(correct)


def test_predict_keeps_the_order_of_files_folders_and_globs(trained):
    paths = [
        line.split("\t")[0]
        for line in call(
            "predict", "data/train/red/3.png", "data/validation/green", "data/train/*/1.png"
        ).stdout.splitlines()
    ]
    assert paths == [
        "data/train/red/3.png",
        *(f"data/validation/green/{number}.png" for number in range(4)),
        "data/train/green/1.png",
        "data/train/red/1.png",
    ]


def test_predict_names_a_bad_file_and_still_answers_for_the_others(trained):
    (trained / "bad.jpg").write_bytes(b"no picture")
    result = call("predict", "bad.jpg", "data/train/red/0.png", code=1)
    first, second = result.stdout.splitlines()
    assert first == "bad.jpg\terror\tnot a picture, or damaged at its start"
    assert second.startswith("data/train/red/0.png\t")
    assert result.stderr.splitlines()[-1] == "1 of 2 photos could not be read"


def test_predict_csv_has_a_column_a_class(trained):
    rows = list(
        csv.DictReader(
            io.StringIO(call("predict", "data/train/red/0.png", "--format", "csv").stdout)
        )
    )
    assert list(rows[0]) == ["path", "class", "probability", "green", "red", "error"]
    assert float(rows[0]["green"]) + float(rows[0]["red"]) == pytest.approx(1)


@pytest.mark.parametrize(("columns", "most_lines"), [(80, 1), (60, 2)])
def test_the_list_of_commands_has_whole_sentences(columns, most_lines):
    text = CliRunner().invoke(main, ["--help"], terminal_width=columns).stdout
    assert "..." not in text.partition("Commands:")[2]
    starts = [line[2:13].strip() for line in text.partition("Commands:")[2].splitlines()]
    assert [name for name in starts if name] == list(main.commands)
    assert len(starts) - 1 <= most_lines * len(main.commands)
    assert max(map(len, text.splitlines())) <= columns


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'? See `catsdogs --help`"),
        (
            ["--verson"],
            "No such option '--verson'. Did you mean '--version'? See `catsdogs --help`",
        ),
        (
            ["evaluate", "--data", "data"],
            "No such option '--data'. Did you mean DIR without it? See `catsdogs evaluate --help`",
        ),
        (
            ["train", "data"],
            "Got unexpected extra argument (data). Did you mean --data DIR? "
            "See `catsdogs train --help`",
        ),
        (
            ["predict", "--data", "data"],
            "No such option '--data'. Did you mean PATH without it? See `catsdogs predict --help`",
        ),
        (
            ["check", "--data", "data"],
            "No such option '--data'. Did you mean DIR without it? See `catsdogs check --help`",
        ),
        (["runs", "--data", "data"], "No such option '--data': see `catsdogs runs --help`"),
        (["cache", "--data", "data"], "No such option '--data': see `catsdogs cache --help`"),
        (
            ["export", "mine.onnx", "mine.h5"],
            "Got unexpected extra argument (mine.h5). Did you mean --model FILE? "
            "See `catsdogs export --help`",
        ),
        (
            ["report", "runs/x", "y"],
            "Got unexpected extra argument (y): see `catsdogs report --help`",
        ),
        (["train", "--data"], "Option '--data' requires an argument: see `catsdogs train --help`"),
        (["runs", "x"], "Got unexpected extra argument (x): see `catsdogs runs --help`"),
        (
            ["serve", "--port", "99999"],
            "Invalid value for '--port': expected a whole number, from 1 to 65535, got '99999': "
            "see `catsdogs serve --help`",
        ),
        (
            ["next", "x", "--count", "none"],
            "Invalid value for '--count': expected a whole number, 1 or more, got 'none': "
            "see `catsdogs next --help`",
        ),
    ],
)
def test_a_slip_is_one_line_with_what_was_probably_meant(arguments, message):
    result = CliRunner().invoke(main, arguments, prog_name="catsdogs")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: {message}\n"


def test_top_prints_a_line_a_class(trained):
    lines = call("predict", "data/train/red/0.png", "--top", "5").stdout.splitlines()
    assert {line.split("\t")[1] for line in lines} == {"green", "red"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["train", "--set", "train.lerning_rate=1"],
            2,
            "error: unknown key train.lerning_rate. Did you mean train.learning_rate?",
        ),
        (
            ["train", "--epochs", "0"],
            2,
            "error: train.epochs should be greater than or equal to 1, got 0",
        ),
        (
            ["train", "--config", "none.toml"],
            2,
            "error: none.toml does not exist: give an existing TOML file by --config FILE",
        ),
        (
            ["train", "--data", "none"],
            1,
            "error: no folder none: run `catsdogs sample` for the built-in photos, "
            "or give a folder with one folder per class in it by --data DIR",
        ),
        (
            ["finetune"],
            1,
            NO_MODEL,
        ),
        (
            ["predict", "data"],
            1,
            NO_MODEL,
        ),
        (["predict", "none.jpg"], 1, "error: none.jpg does not exist"),
        (["predict", "none*.jpg"], 1, "error: none*.jpg matches no file"),
        (
            ["train", "--output", "data/x.h5/y.txt"],
            2,
            "error: output must end in .h5, for example models/mine.h5, got 'data/x.h5/y.txt'",
        ),
    ],
)
def test_mistakes_are_one_line_on_stderr(folder, arguments, code, message):
    result = call(*arguments, code=code)
    assert result.stderr == message + "\n"
    assert result.stdout == ""


def test_finetune_refuses_to_change_what_the_model_is(trained):
    result = call("finetune", "--set", "model.pooling=max", code=2)
    assert result.stderr == (
        "error: model.pooling is 'average' in the trained model and cannot become 'max': "
        "leave it out, or train a new model\n"
    )


def test_finetune_refuses_classes_that_the_model_does_not_know(trained):
    (trained / "data" / "train" / "red").rename(trained / "data" / "train" / "blue")
    result = call("finetune", code=1)
    assert result.stderr.splitlines()[-1] == (
        "error: data/train/blue is no class of the model, which has green, red: "
        "rename or remove the folder"
    )


@pytest.mark.slow
def test_finetune_with_a_model_writes_its_successor_beside_it(trained):
    (trained / "models" / "catsdogs.h5").rename(trained / "mine.h5")
    few = ("--epochs", "1", "--set", "finetune.head_epochs=1")
    call("finetune", "--model", "mine.h5", *few)
    assert read_metadata(trained / "mine.h5").stage == "finetune"
    assert (trained / "mine.head.h5").exists()
    assert not (trained / "models" / "catsdogs.h5").exists()


@pytest.mark.slow
def test_finetune_that_only_harms_keeps_the_start(trained):
    before = keras.models.load_model(trained / "models" / "catsdogs.h5", compile=False)
    swapped = trained / "data" / "train"
    for old, new in (("red", "other"), ("green", "red"), ("other", "green")):
        (swapped / old).rename(swapped / new)
    result = call("finetune", "--set", "finetune.head_epochs=2")
    assert result.stdout.splitlines()[0] == (
        "kept epoch 0: no epoch had a better validation loss than the start"
    )
    after = keras.models.load_model(trained / "models" / "catsdogs.h5", compile=False)
    for one, other in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_config_file_and_flags_reach_the_model_file(folder):
    (folder / "mine.toml").write_text(
        '[model]\nbackbone = "tiny"\nweights = "random"\nimage_size = [32, 48]\npooling = "max"\n'
        "[train]\nepochs = 7\n"
    )
    call("train", "--config", "mine.toml", "--epochs", "1", "--seed", "5", "--output", "out/m.h5")
    config = read_metadata(folder / "out" / "m.h5").config
    assert config["model"]["image_size"] == [32, 48]
    assert config["model"]["pooling"] == "max"
    assert config["train"]["epochs"] == 1
    assert config["seed"] == 5


def test_cache_shows_and_clears_what_is_stored(trained):
    shown = call("cache").stdout.splitlines()
    assert shown[0].split() == ["size", "features", "of"]
    assert "      24  tiny to block1_pool, 32 x 32" in shown[1]  # for fine-tuning
    assert "      24  tiny to pooling average, 32 x 32" in shown[2]
    assert max(map(len, shown[:3])) <= 80
    assert shown[-1].endswith(f"MiB in {trained / 'cache' / 'catsdogs' / 'features'}")
    assert "MiB freed" in call("cache", "--clear").stdout
    assert call("cache").stdout.splitlines()[0].strip().startswith("0.0 MiB in")


def test_info_names_versions_device_precision_and_weights():
    facts = dict(line.split(None, 1) for line in call("info").stdout.splitlines())
    assert facts["keras"] == keras.__version__
    assert facts["backend"] == keras.backend.backend()
    assert {facts["backend"], "numpy", "device", "precision", "weights"} <= set(facts)
    assert float(facts["memory"].removesuffix(" GiB")) > 0


@pytest.fixture
def many_photos(folder):
    """Enough distinct photos that their pass through the frozen layers takes seconds."""
    generator = np.random.default_rng(1)
    for number in range(120):
        path = folder / "data" / "train" / "red" / f"more_{number}.png"
        Image.fromarray(generator.integers(0, 256, (32, 32, 3)).astype(np.uint8)).save(path)
    return folder


def start_training(*arguments):
    command = [sys.executable, "-m", "catsdogs", "train", "--epochs", "1", *SMALL, *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_killed_run_leaves_a_sound_store_and_the_next_one_carries_on(many_photos):
    process = start_training()
    database = many_photos / "cache" / "catsdogs" / "features"
    while not any(store.num_bytes > 100_000 for store in list_stores(database)):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert list((many_photos / "models").iterdir()) == []
    found = re.search(
        r"frozen layers: (\d+) photos in .*, (\d+) from the cache",
        call("train", "--epochs", "1", *SMALL).stderr,
    )
    computed, cached = map(int, found.groups())
    assert cached > 0
    assert computed + cached == 144


@pytest.mark.slow
def test_two_runs_at_once_share_one_sound_store_and_end_with_one_whole_file(many_photos):
    both = [start_training("--output", "out/both.h5") for _ in range(2)]
    for process in both:
        _, stderr = process.communicate()
        assert process.returncode == 0, stderr
        assert "warning: feature" not in stderr
    assert [path.name for path in (many_photos / "out").iterdir()] == ["both.h5"]
    metadata = read_metadata(many_photos / "out" / "both.h5")
    runs = [run.read_metrics() for run in list_run_dirs(many_photos / "runs")]
    assert [run.loss for run in runs] == [metadata.validation.loss] * 2
    call("predict", "data/train/red/0.png", "--model", "out/both.h5")
    assert "frozen layers" not in call("train", "--epochs", "1", *SMALL).stderr
    assert "  144  vgg16 to" in call("cache").stdout
