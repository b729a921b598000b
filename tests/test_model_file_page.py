"""docs/model-file.md is enough to read a model file by."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catsdogs.data.framing import fit_to
from catsdogs.model.metadata import Metadata

PAGE = (Path(__file__).parent.parent / "docs" / "model-file.md").read_text(encoding="utf-8")


def test_every_key_of_the_attribute_is_described():
    table = PAGE[PAGE.index("**`catsdogs`** has these keys") : PAGE.index("### A reader")]
    rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(
        Metadata.model_fields
    )


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(32, 32), (31, 47)])
def test_pixels_that_are_shown_are_those_of_the_program(fit, size):
    shown = {}
    exec(re.search(r"```python\n([^`]*def pixels.*?)```", PAGE, re.DOTALL)[1], shown)
    generator = np.random.default_rng(0)
    for shape in [(32, 32), (31, 47), (62, 95), (388, 217), (217, 301), (1, 90), (90, 1), (64, 63)]:
        photo = Image.fromarray(generator.integers(0, 256, (*shape, 3)).astype(np.uint8))
        assert np.array_equal(shown["pixels"](photo, *size, fit), fit_to(photo, size, fit))


def test_the_reader_that_is_shown_answers_as_predict(unsure_model, tmp_path, call):
    photo = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    Image.fromarray(noise).save(photo)
    told = call("predict", photo, "--model", unsure_model, "--format", "json")
    expected = json.loads(told.stdout)[0]["probabilities"]
    reader = {}
    exec(re.search(r"### A reader\n.*?```python\n(.*?)```", PAGE, re.DOTALL)[1], reader)
    found = reader["answer"](unsure_model, noise)
    assert set(found) == set(expected)
    assert min(found.values()) > 0.01  # it is unsure: what is compared says something
    for name, probability in found.items():
        assert expected[name] == pytest.approx(probability, abs=1e-4)
