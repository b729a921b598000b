"""What README and docs say is what the program does."""

import ast
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest

from catsdogs.checking.findings import KINDS
from catsdogs.cli import main
from catsdogs.config import config_keys
from catsdogs.config_file import settled_config

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "RELEASING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*.md")),
]
WITH_COMMANDS = [  # those of robustness.md are wrong on purpose; tests/situations runs them
    *(page for page in PAGES if page.name != "robustness.md"),
    *sorted((ROOT / "examples").glob("*.yml")),
    *ROOT.glob("configs/*.toml"),
]


def written_pages():
    sys.path.insert(0, str(ROOT / "docs"))  # as it is for `python docs/write_pages.py`
    spec = importlib.util.spec_from_file_location("write_pages", ROOT / "docs" / "write_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(ROOT / "docs"))
    return module.PAGES


@pytest.mark.parametrize(("name", "write"), written_pages().items())
def test_page_that_follows_from_the_code_is_up_to_date(name, write):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == write()


def test_the_site_has_the_mark_that_the_pages_have():
    mark = ROOT / "catsdogs" / "logo.svg"
    assert (ROOT / "docs" / "logo.svg").read_bytes() == mark.read_bytes()


def test_the_site_is_built_without_a_warning(tmp_path):
    """Every page has its place, and every link leads to one; nothing is fetched for it."""
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for page in (ROOT / "docs").glob("*.md"):
        html = (tmp_path / "site" / f"{page.stem}.html").read_text(encoding="utf-8")
        assert not re.search(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?http""", html)


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


def test_the_guide_says_what_each_finding_of_check_is():
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    section = guide.partition("## Looking for trouble first")[2].partition("\n## ")[0]
    assert set(KINDS) <= set(re.findall(r"`(\w+)`", section))


def test_every_setting_is_described():
    rows = re.findall(r"^\| `([^`]+)` \|.*\| (.*) \|$", SETTINGS, re.MULTILINE)
    assert [key for key, _ in rows] == config_keys()
    assert [key for key, text in rows if len(text) < 10] == []


def commands_on(page):
    """What a page tells to type, a list of words each, without what comes after a pipe."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^(?: {4,}|# {4,}|\$ |.*run: )catsdogs (.*)", text, re.MULTILINE)
    lines += [" ".join(inline.split()) for inline in re.findall(r"`catsdogs ([^`]*)`", text)]
    for line in lines:
        words = shlex.split(line, comments=True)
        ends = [n for n, word in enumerate(words) if re.match(r"[|&]|\d?[<>]", word)]
        if not words[0].startswith("-"):  # --help and --version of them all
            yield words[: min(ends, default=len(words))]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_every_command_that_is_shown_has_these_options(page):
    for words in commands_on(page):
        with click.Context(main, info_name="catsdogs") as context:
            try:
                main.commands[words[0]].make_context(words[0], words[1:], parent=context)
            except (click.exceptions.Exit, click.MissingParameter):  # --help; the command's name
                continue
            except (click.UsageError, KeyError) as error:
                pytest.fail(f"catsdogs {shlex.join(words)}: {error!r}")


def python_on(page):
    """The Python blocks of a page that are whole programs or sessions, without their prompts."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```(?:python|pycon)\n(.*?)```", text, re.DOTALL):
        lines = re.findall(r"^(?:>>>|\.\.\.) ?(.*)$", block, re.MULTILINE)
        with suppress(SyntaxError):  # a signature of docs/api.md
            yield ast.parse("\n".join(lines) or block)


def trainings_on(page):
    """Calls of the Python API that a page shows: which one, and the settings that it is given."""
    for node in (node for code in python_on(page) for node in ast.walk(code)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if ast.unparse(node.func) in ("catsdogs.train", "catsdogs.finetune"):
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            whole = ast.literal_eval(given.pop(None, ast.Dict([], [])))
            names = given.keys() - {"data", "config", "progress"}
            yield node.func.attr, whole | {name: ast.literal_eval(given[name]) for name in names}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_training_in_python_that_is_shown_has_these_settings(page):
    for command, settings in trainings_on(page):
        settled_config(command, None, None, settings)


def test_trainings_are_found_on_the_pages():
    assert len([call for page in PAGES for call in trainings_on(page)]) > 4


def test_commands_are_found_on_the_pages():
    assert len([words for page in WITH_COMMANDS for words in commands_on(page)]) > 80
