"""What a shell offers after Tab, asked as bash asks."""

import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from catsdogs.cli import main
from catsdogs.config import config_keys


def offered(*words):
    complete = ShellComplete(main, {}, "catsdogs", "_CATSDOGS_COMPLETE")
    return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]


def test_commands_networks_and_keys_are_offered():
    assert offered("ev") == ["evaluate"]
    assert offered("train", "--backbone", "efficientnet_lite") == [
        f"efficientnet_lite{number}" for number in range(3)
    ]
    assert offered("train", "--set", "") == [f"{key}=" for key in config_keys()]
    assert "keras" in offered("predict", "--engine", "")


@pytest.mark.parametrize(
    "words",
    [("predict", "x"), ("explain", "x"), ("serve", "x"), ("check", "x"), ("train", "--data", "x")],
)
def test_files_are_left_to_the_shell(words):
    complete = ShellComplete(main, {}, "catsdogs", "_CATSDOGS_COMPLETE")
    (item,) = complete.get_completions(list(words[:-1]), words[-1])
    assert (item.type, item.value) == ("file", "x")


def test_bash_is_told_how_to_ask():
    environment = {**os.environ, "_CATSDOGS_COMPLETE": "bash_source"}
    done = subprocess.run(
        [sys.executable, "-c", "from catsdogs.cli import main; main(prog_name='catsdogs')"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "complete -o nosort -F _catsdogs_completion catsdogs" in done.stdout
