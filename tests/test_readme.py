"""What the README says is what the program does."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from catsdogs.cli import main
from catsdogs.config import config_keys

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
HELP_BLOCKS = re.findall(r"```text\n\$ catsdogs(| [a-z]+) --help\n(.*?)```", README, re.DOTALL)


def test_every_command_has_its_help_block():
    assert {command for command, _ in HELP_BLOCKS} == {"", *(f" {name}" for name in main.commands)}


@pytest.mark.parametrize(("command", "block"), HELP_BLOCKS)
def test_help_block_is_the_real_output(command, block):
    arguments = [*command.split(), "--help"]
    result = CliRunner().invoke(main, arguments, prog_name="catsdogs", terminal_width=80)
    assert block == result.output


def test_the_three_lines_stand_in_it():
    for line in (
        "catsdogs train --subsample 20 --epochs 1\n",
        "catsdogs finetune --epochs 2\n",
        "catsdogs predict image.jpg\n",
    ):
        assert line in README


def test_every_relative_link_leads_to_a_file():
    targets = re.findall(r"\]\(((?!https?://|#)[^)]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_key_that_is_mentioned_exists():
    mentioned = re.findall(r"`((?:data|augment|model|train|finetune|cache|run)\.[a-z_]+)", README)
    assert mentioned
    assert set(mentioned) - set(config_keys()) == set()


def test_every_make_target_that_is_mentioned_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    mentioned = set(re.findall(r"`?make ([a-z-]+)`?", README))
    assert mentioned
    assert mentioned <= targets
