"""The commands on a network with batch normalisation, residuals and a size of its own."""

import json

import numpy as np
import pytest
from PIL import Image

from catsdogs.model.metadata import read_metadata


@pytest.fixture
def folder(workplace):
    """Wide photos whose class shows in their middle; their sides are of the other colour."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 6), ("validation", 3)):
        for channel, name in enumerate(("green", "red")):
            (workplace / "data" / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 80, (40, 90, 3)).astype(np.uint8)
                pixels[..., channel] += 150
                pixels[:, 25:65, channel] -= 150
                pixels[:, 25:65, 1 - channel] += 150
                Image.fromarray(pixels).save(workplace / "data" / split / name / f"{number}.png")
    return workplace


@pytest.mark.slow
def test_train_finetune_predict_evaluate_and_explain(folder, call):
    settings = ["--set=model.image_size=[32, 32]", "--set=model.weights=random", "--epochs=2"]
    call("train", "--backbone", "efficientnet_lite0", *settings)
    metadata = read_metadata(folder / "models" / "catsdogs.h5")
    assert metadata.backbone == "efficientnet_lite0"
    assert metadata.architecture.fit == "crop"
    shown = call("cache").stdout
    assert " 18  efficientnet_lite0 to pooling average, 32 x 32" in shown
    assert " 18  efficientnet_lite0 to block5c_add, 32 x 32" in shown

    tuned = call("finetune", "--epochs=1", "--set=finetune.learning_rate=1e-3")
    assert "block6 and above trained in" in tuned.stderr
    assert "frozen layers" not in tuned.stderr  # computed ahead by train

    recorded = read_metadata(folder / "models" / "catsdogs.h5").validation
    evaluated = json.loads(call("evaluate", "data/validation", "--format=json").stdout)
    assert evaluated["accuracy"] == recorded.accuracy
    assert evaluated["log_loss"] == pytest.approx(recorded.loss, rel=0.05)
    call("explain", "data/validation/red/0.png")
    assert (folder / "0.explained.png").exists()


@pytest.mark.slow
def test_unknown_block_lists_those_of_the_network(folder, call):
    settings = ["--set=model.image_size=[32, 32]", "--set=model.weights=random", "--epochs=1"]
    call("train", "--backbone", "mobilenet_v2", *settings, "--set=cache.ahead=false")
    refused = call("finetune", "--set=finetune.block=block9", code=2)
    assert "finetune.block should be one of stem, block1" in refused.output


def test_backbones_lists_all_with_what_was_measured(call):
    lines = call("backbones").stdout.splitlines()
    assert lines[0].split()[:4] == ["name", "parameters", "multiply-adds", "pixels"]
    (vgg16,) = (line for line in lines if line.startswith("vgg16 ") and " M " in line)
    assert "14.7 M" in vgg16
    assert "15.35 G  224, stretch  0.990 0.983-0.994" in vgg16
    (lite0,) = (line for line in lines if line.startswith("efficientnet_lite0 ") and " M " in line)
    assert " 0.38 G  224, crop     0.993 0.987-0.997" in lite0
    assert any("not measured" in line for line in lines)
