"""Write the pages of docs/ that follow from the code: `make docs-pages`.

commands.md has every command's help as it is, settings.md every key of the configuration.
"""

import ast
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from catsdogs import config as config_module
from catsdogs.cli import main
from catsdogs.config import Config

DOCS = Path(__file__).parent

_COMMANDS = """# Commands

Each command's `--help`, written by `make docs-pages` and held to the real output by a test.
A [setting](settings.md) that has no option of its own is given by `--set KEY=VALUE`.

Exit status: 0 where all went well; 1 where a photo, a file or a result was not as it should be,
or the answer could not be written; 2 where the request itself was wrong; 130 and 143 after
Ctrl-C and SIGTERM. Answers go to standard output, progress and problems to standard error.

Commands, options, networks, keys of `--set` and files are completed after Tab where the shell is
told so, by a line in its start file:

    eval "$(_CATSDOGS_COMPLETE=bash_source catsdogs)"     # ~/.bashrc
    eval "$(_CATSDOGS_COMPLETE=zsh_source catsdogs)"      # ~/.zshrc
    _CATSDOGS_COMPLETE=fish_source catsdogs | source      # ~/.config/fish/config.fish
"""

_SETTINGS = """# Settings

Every key of the configuration, with its default, from `catsdogs/config.py` (`make docs-pages`).
A TOML file given by `--config` holds what differs, `--set KEY=VALUE` overrides any of it, and
`catsdogs.train(**{"train.epochs": 5})` does so from Python. An unknown key or a wrong value is
answered in a line with the key's whole name.
"""


def commands_page() -> str:
    """Every command's help."""
    blocks = [_COMMANDS, _help_block("")]
    for name in main.commands:
        blocks += [f"## {name}\n", _help_block(name)]
    return "\n".join(blocks)


def _help_block(name: str) -> str:
    arguments = [name, "--help"] if name else ["--help"]
    result = CliRunner().invoke(main, arguments, prog_name="catsdogs", terminal_width=80)
    return f"```text\n$ {' '.join(['catsdogs', *arguments])}\n{result.output}```\n"


def settings_page() -> str:
    """Every key of the configuration."""
    described = _attribute_docstrings()
    defaults = Config()
    top: list[str] = []
    sections: list[str] = []
    for name in Config.model_fields:
        value = getattr(defaults, name)
        if not hasattr(type(value), "model_fields"):
            top.append(_row(name, value, described["Config"].get(name, "")))
            continue
        kind = type(value)
        summary = " ".join((kind.__doc__ or "").split())
        rows = [
            _row(f"{name}.{key}", getattr(value, key), described[kind.__name__].get(key, ""))
            for key in kind.model_fields
        ]
        sections += [f"\n## {name}\n\n{summary}\n", _HEAD, *rows]
    return "\n".join([_SETTINGS, _HEAD, *top, *sections, ""])


_HEAD = "| key | default | what it is |\n|---|---|---|"


def _row(key: str, value: Any, text: str) -> str:
    value = list(value) if isinstance(value, tuple) else value
    text = " ".join(text.split()).replace("|", chr(92) + "|")
    return f"| `{key}` | `{json.dumps(value)}` | {text} |"


def _attribute_docstrings() -> dict[str, dict[str, str]]:
    """By class and attribute: the text that stands below each attribute of config.py."""
    found: dict[str, dict[str, str]] = {}
    tree = ast.parse(Path(config_module.__file__).read_text(encoding="utf-8"))
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        texts = found.setdefault(node.name, {})
        for statement, below in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                texts[statement.target.id] = str(below.value.value)
    return found


PAGES = {"commands.md": commands_page, "settings.md": settings_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
