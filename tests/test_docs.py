"""What README and docs say is what the program does."""

import importlib.util
import re
from pathlib import Path

import pytest

from catsdogs.config import config_keys

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def written_pages():
    spec = importlib.util.spec_from_file_location("write_pages", ROOT / "docs" / "write_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PAGES


@pytest.mark.parametrize(("name", "write"), written_pages().items())
def test_page_that_follows_from_the_code_is_up_to_date(name, write):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == write()


def test_the_three_lines_stand_in_it():
    for line in (
        "catsdogs train --subsample 20 --epochs 1\n",
        "catsdogs finetune --epochs 2\n",
        "catsdogs predict image.jpg\n",
    ):
        assert line in README


def test_readme_is_short():
    assert len(README.splitlines()) < 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(((?!https?://|#)[^)#]+)(?:#[^)]*)?\)", text)
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_key_that_is_mentioned_exists(page):
    sections = "|".join(sorted({key.partition(".")[0] for key in config_keys() if "." in key}))
    text = page.read_text(encoding="utf-8")
    mentioned = re.findall(rf"`((?:{sections})\.(?!py\b)[a-z_]+)[`= ]", text)
    assert set(mentioned) - set(config_keys()) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_is_mentioned_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    mentioned = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", text, re.MULTILINE))
    assert mentioned <= targets
