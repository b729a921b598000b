"""Photos and stores for the tests: small, real, and the same in every run."""

import functools
import os
import subprocess
from contextlib import contextmanager

import hypothesis
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from catsdogs.cli import main
from catsdogs.config import Config, DataConfig, ModelConfig
from catsdogs.evaluation.score import Score
from catsdogs.model.metadata import Metadata, WeightsRecord
from catsdogs.model.model_file import load_model, save_model
from catsdogs.model.predictor import ModelRequest, Predictor
from catsdogs.network.backbones.vgg16 import VGG16
from catsdogs.network.classifier import build_classifier, set_backbone_weights, split_at
from catsdogs.training.cache_folder import TrunkCard
from catsdogs.training.disk_store import DiskStore
from catsdogs.training.feature_store import MemoryStore
from catsdogs.training.known_photos import learn_known_photos
from tests.chromium import CHROMIUM, DRIVER, FLAGS
from tests.tiny_backbone import KNOWN_BACKBONES, TINY

# by default a case that takes 0.2 s fails, which on a busy machine any does at times
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

LONGEST = ("processes", "interruptions", "systems", "backbones", "robustness", "cli", "tail")


def pytest_collection_modifyitems(items):
    """The longest files begin: a process that meets one last is alone with it at the end."""
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONGEST)


REDDISH, BLUISH = (200, 90, 60), (60, 90, 200)


@pytest.fixture
def make_photos():
    """A function that writes noise photos, all different, and returns their paths."""

    def make(folder, count, seed=0, colour=(128, 128, 128), suffix=".png", size=(24, 32)):
        """`size` is height and width; the noise lies within 50 levels of `colour`."""
        folder.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(-50, 51, (count, *size, 3))
        pixels = np.clip(noise + colour, 0, 255).astype(np.uint8)
        paths = [folder / f"{seed}_{index:03}{suffix}" for index in range(count)]
        for path, image in zip(paths, pixels, strict=True):
            Image.fromarray(image).save(path)
        return paths

    return make


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """The current folder: a new one, with a feature store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Where the first trained folder is kept for the tests after it."""
    return tmp_path_factory.mktemp("template") / "folder"


@pytest.fixture
def class_folders(tmp_path, make_photos):
    """A folder with 4 + 4 photos to train on and 2 + 2 for validation; colour tells the class."""
    root = tmp_path / "data"
    make_photos(root / "train" / "cats", 4, 1, REDDISH)
    make_photos(root / "train" / "dogs", 4, 2, BLUISH)
    make_photos(root / "validation" / "cats", 2, 3, REDDISH)
    make_photos(root / "validation" / "dogs", 2, 4, BLUISH)
    return root


@pytest.fixture(scope="module")
def tiny_backbone():
    """`model.backbone=tiny` is known in this process, as long as a module's tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KNOWN_BACKBONES, TINY.name, TINY)
        yield TINY


@pytest.fixture(params=["disk", "memory"])
def store(request, tmp_path):
    """Each place that features can be kept in."""
    if request.param == "memory":
        yield MemoryStore()
        return
    card = TrunkCard("tiny", "pool", "", (8, 8), "keras", "float32", "weights")
    store = DiskStore(tmp_path / "cache", card, 64 * 2**20)
    yield store
    store.close()


@pytest.fixture
def run_facts():
    """What metrics.json says, as a dict to change."""
    return {
        "command": "train",
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:01:00+00:00",
        "seconds": 60.0,
        "model": "models/catsdogs.h5",
        "data": "data",
        "class_names": ["cats", "dogs"],
        "num_photos": {"train": 8, "validation": 4},
        "num_skipped": 0,
        "kept_epoch": 1,
        "num_epochs": 1,
        "loss": 0.5,
        "accuracy": 0.75,
        "interval_low": 0.3,
        "interval_high": 0.95,
        "num_frozen": 12,
        "frozen_seconds": 1.0,
        "device": "CPU",
        "precision": "float32",
        "versions": {"catsdogs": "0"},
    }


def describe(config, class_names, backbone="vgg16"):
    """What the file of a model with random weights says."""
    return Metadata(
        class_names=class_names,
        image_size=config.model.image_size,
        stage="train",
        kept_epoch=1,
        config=config.model_dump(mode="json"),
        backbone=backbone,
        weights=WeightsRecord(source="random", sha256=""),
        data_fingerprint="",
        num_photos={"train": 8, "validation": 4},
        validation=Score(loss=0.5, accuracy=0.75, num_photos=4),
    )


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """A function that writes a small model which tells reddish photos from bluish ones.

    Reddish ones are given the first class, bluish ones the second, others neither.
    """
    generator = np.random.default_rng(0)
    made = {}

    def build(path, class_names, image_size, sureness, data, backbone):
        architecture = ModelConfig(backbone=backbone.name, weights="random", image_size=image_size)
        config = Config(model=architecture, data=DataConfig(dir=data))
        model = build_classifier(config.model, len(class_names), keras.DTypePolicy("float32"))
        set_backbone_weights(model, backbone.load_weights("random"))
        trunk, _ = split_at(model, "pooling")
        noise = generator.integers(-50, 51, (16, *image_size, 3))
        red, blue = (
            trunk.predict(np.uint8(noise + colour), verbose=0).mean(axis=0, dtype=np.float64)
            for colour in (REDDISH, BLUISH)
        )
        towards_red = (red - blue) / np.square(red - blue).sum()
        hidden = np.zeros((len(red), 256))
        hidden[:, 0], hidden[:, 1] = 2 * towards_red, -2 * towards_red
        middle = np.zeros(256)
        middle[1] = towards_red @ (red + blue)  # unit 0 is 1 at red, unit 1 is 1 at blue
        middle[0] = -middle[1]
        to_class = np.zeros((256, len(class_names)))
        to_class[0, 0] = to_class[1, 1] = sureness
        bias = np.full(len(class_names), -abs(sureness))
        bias[:2] = 0
        model.set_weights([*model.get_weights()[:-4], hidden, middle, to_class, bias])
        save_model(path, model, describe(config, class_names, backbone.name))

    def make(
        path,
        class_names=("cats", "dogs"),
        image_size=(32, 32),
        sureness=4.0,
        data="data",
        backbone=VGG16,
    ):
        """With a negative `sureness` it is wrong; `data` is where it says it was trained."""
        key = (class_names, image_size, sureness, data, backbone)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("models") / "model.h5"
            build(made[key], *key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(made[key])
        return path

    return make


@pytest.fixture(scope="module")
def make_tiny_model(make_model, tiny_backbone):
    """As `make_model`, on two convolutions."""
    return functools.partial(make_model, backbone=tiny_backbone)


@pytest.fixture(scope="session")
def careful_models(tmp_path_factory, make_model):
    """A folder with models that tell noise of two colours from other photos; do not change it.

    `plain.h5` cannot; `careful.h5` can and was not asked to; `strict.h5` refuses 2 in 100. Beside
    them the photos that they know, and one that they do not, `sofa.png`.
    """
    folder = tmp_path_factory.mktemp("careful")
    make_model(folder / "plain.h5")
    (folder / "known").mkdir()
    generator = np.random.default_rng(5)
    paths = []
    for number in range(80):
        noise = generator.integers(-50, 51, (24, 32, 3)) + (REDDISH, BLUISH)[number % 2]
        paths.append(folder / "known" / f"{number:02}.png")
        Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)).save(paths[-1])
    squares = np.kron(np.indices((4, 4)).sum(axis=0) % 2, np.ones((8, 8))) * 255
    Image.fromarray(np.repeat(squares[..., None], 3, 2).astype(np.uint8)).save(folder / "sofa.png")
    predictor = Predictor(ModelRequest(folder / "plain.h5", "float32", engine="keras"))
    pixels = np.stack([predictor.pixels(path) for path in paths])
    features = predictor.engine_for("pooling").outputs(pixels)[0]
    confidences = np.array([max(a.probabilities.values()) for a in predictor.answer(paths)])
    known = learn_known_photos(features[:40], features[40:], confidences[40:])
    model, metadata = load_model(folder / "plain.h5", keras.DTypePolicy("float32"))
    save_model(folder / "careful.h5", model, metadata, known)
    thrice = learn_known_photos(features[:40], np.repeat(features, 3, 0), np.repeat(confidences, 3))
    strict = metadata.model_copy(update={"unknown": 0.02})
    save_model(folder / "strict.h5", model, strict, thrice)
    return folder


@pytest.fixture
def call():
    """A function that runs a command line and holds its exit code."""

    def run(*arguments, code=0):
        result = CliRunner().invoke(main, list(map(str, arguments)))
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    return run


@pytest.fixture(scope="session")
def unsure_model(tmp_path_factory):
    """A model file with random weights, 32 px, whose probabilities are neither 0 nor 1."""
    config = Config(model=ModelConfig(weights="random", image_size=(32, 32)))
    model = build_classifier(config.model, 2, keras.DTypePolicy("float32"))
    set_backbone_weights(model, VGG16.load_weights("random"))
    dense = model.get_layer("dense")
    dense.set_weights([dense.get_weights()[0] / 50, dense.get_weights()[1]])
    path = tmp_path_factory.mktemp("models") / "unsure.h5"
    save_model(path, model, describe(config, ("cats", "dogs")))
    return path


@pytest.fixture(scope="session")
def reported(tmp_path_factory):
    """A working folder with a training, its fine-tuning and the report of it; do not change it.

    One class is named like a script; of the validation photos, one cannot be read and one lies
    in the wrong folder.
    """
    folder = tmp_path_factory.mktemp("reported")
    generator = np.random.default_rng(0)
    for split, count in (("train", 6), ("validation", 5)):
        for channel, name in enumerate(("<script>alert(1)", "dogs & 'wolves'")):
            (folder / "data" / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (40, 50, 3)).astype(np.uint8)
                pixels[..., channel] //= 2
                Image.fromarray(pixels).save(folder / "data" / split / name / f"{number}.png")
    first, second = sorted((folder / "data" / "validation").iterdir())
    (second / "bad.jpg").write_bytes(b"no picture")
    (first / "4.png").rename(second / "wrong.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for arguments in (
            "train --epochs 3 --set model.image_size=[32,32] --set model.weights=random "
            "--set run.tensorboard=true",
            "finetune --epochs 2",
            "report --output report.html",
        ):
            result = CliRunner().invoke(main, arguments.split())
            assert result.exit_code == 0, result.output + repr(result.exception)
    (folder / "answer.txt").write_text(result.stdout)
    return folder


@pytest.fixture
def file_size_limit():
    """A context manager in which no file may grow beyond so many bytes, as under a quota."""
    import resource  # which Windows lacks

    @contextmanager
    def limit(num_bytes):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


@contextmanager
def mounted(folder, options):
    """A file system of its own on a folder; skips where the user may not mount."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a file system, and not in every container")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 16 MiB."""
    with mounted(tmp_path / "small", "size=16m") as folder:
        yield folder


@pytest.fixture
def read_only_folder(tmp_path):
    """A folder that nobody may write to, root included."""
    if os.geteuid():
        folder = tmp_path / "read_only"
        folder.mkdir(mode=0o555)
        yield folder
        return
    with mounted(tmp_path / "read_only", "ro") as folder:
        yield folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Chromium, with all that it logs."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(DRIVER))
    yield driver
    driver.quit()
