"""Photos and stores for the tests: small, real, and the same in every run."""

import os
import resource
import subprocess
from contextlib import contextmanager

import keras
import numpy as np
import pytest
from PIL import Image

from catsdogs.config import Config, ModelConfig
from catsdogs.modeling.classifier import build_classifier, set_backbone_weights
from catsdogs.modeling.feature_store import DiskStore, MemoryStore, TrunkCard
from catsdogs.modeling.model_file import Metadata, ValidationRecord, WeightsRecord, save_model
from catsdogs.modeling.weights import load_weights

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
def class_folders(tmp_path, make_photos):
    """A folder with 4 + 4 photos to train on and 2 + 2 for validation; colour tells the class."""
    root = tmp_path / "data"
    make_photos(root / "train" / "cats", 4, 1, REDDISH)
    make_photos(root / "train" / "dogs", 4, 2, BLUISH)
    make_photos(root / "validation" / "cats", 2, 3, REDDISH)
    make_photos(root / "validation" / "dogs", 2, 4, BLUISH)
    return root


@pytest.fixture(params=["disk", "memory"])
def store(request, tmp_path):
    """Each place that features can be kept in."""
    if request.param == "memory":
        yield MemoryStore()
        return
    card = TrunkCard("tiny", "pool", "", (8, 8), "float32", "weights")
    store = DiskStore(tmp_path / "cache", card, 64 * 2**20)
    yield store
    store.close()


@pytest.fixture(scope="session")
def unsure_model(tmp_path_factory):
    """A model file with random weights, 32 px, whose probabilities are neither 0 nor 1."""
    config = Config(model=ModelConfig(weights="random", image_size=(32, 32)))
    model = build_classifier(config.model, 2, keras.DTypePolicy("float32"))
    set_backbone_weights(model, load_weights("random"))
    dense = model.get_layer("dense")
    dense.set_weights([dense.get_weights()[0] / 50, dense.get_weights()[1]])
    metadata = Metadata(
        class_names=("cats", "dogs"),
        image_size=(32, 32),
        stage="train",
        kept_epoch=1,
        config=config.model_dump(mode="json"),
        backbone="vgg16",
        weights=WeightsRecord(source="random", sha256=""),
        data_fingerprint="f" * 64,
        num_photos={"train": 480, "validation": 120},
        validation=ValidationRecord(
            loss=0.5, accuracy=0.75, num_photos=120, interval_low=0.6, interval_high=0.8
        ),
    )
    path = tmp_path_factory.mktemp("models") / "unsure.h5"
    save_model(path, model, metadata)
    return path


@pytest.fixture
def file_size_limit():
    """A context manager in which no file may grow beyond so many bytes, as under a quota."""

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
