"""Photos and stores for the tests: small, real, and the same in every run."""

import numpy as np
import pytest
from PIL import Image

from catsdogs.modeling.feature_store import DiskStore, MemoryStore, TrunkCard

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
