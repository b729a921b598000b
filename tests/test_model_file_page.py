"""docs/model-file.md is enough to read a model file by."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catsdogs.model.metadata import Metadata

PAGE = (Path(__file__).parent.parent / "docs" / "model-file.md").read_text(encoding="utf-8")


def test_every_key_of_the_attribute_is_described():
    table = PAGE[PAGE.index("**`catsdogs`** has these keys") : PAGE.index("### A reader")]
    rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(
        Metadata.model_fields
    )


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
