"""Write the pages of docs/ that follow from the code: `make docs-pages`.

commands.md has every command's help as it is, settings.md every key of the configuration, api.md
the Python API by its docstrings, benchmarks.md what each part of `make bench` measures.
"""

import ast
import json
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import griffe
from api_page import api_page, linked
from click.testing import CliRunner
from pydantic.fields import FieldInfo

from catsdogs import config as config_module
from catsdogs.cli import main
from catsdogs.config import Config

DOCS = Path(__file__).parent

_COMMANDS = """# Commands

What each command takes, as its `--help` says it.
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
            top.append(_row(name, value, Config.model_fields[name], described["Config"][name]))
            continue
        kind = type(value)
        summary = " ".join((kind.__doc__ or "").split())
        rows = [
            _row(f"{name}.{key}", getattr(value, key), field, described[kind.__name__][key])
            for key, field in kind.model_fields.items()
        ]
        sections += [f"\n## {name}\n\n{summary}\n", _HEAD, *rows]
    return "\n".join([_SETTINGS, _HEAD, *top, *sections, ""])


_BENCHMARKS = """# Benchmarks

The times and sizes of memory on the pages [results](results.md), [engines](engines.md),
[scaling](scaling.md), [review](review.md) and [export](export.md#a-service) can be measured again,
in a clone of the repository, on photos of yours with `train/` and `validation/`. (The tables below
are written from the code by `make docs-pages`.)

    make bench                                    # all parts but scaling, on data/
    .venv/bin/python -m benchmarks train predict --data photos

It prints a table and writes `benchmark.json` (`--output`), with the processor, the precision and
the versions. `--size` gives height and width of the photos in pixels, `--repeats` how often each
pair is measured, and `--classic-photos` how many photos the classic recipe gets.

| part | what it measures |
|---|---|
{parts}

`serving` needs `wrk`. What makes the figures fair:

- Ours and the classic recipe take turns, in one run, on the same photos. What is printed are
  medians, of the ratios as of the times. The machine should do nothing else.
- Commands are measured whole, as processes of their own, start-up included; memory is the peak
  that the system saw.
- The classic recipe (`benchmarks/classic.py`) is `ImageDataGenerator`, a frozen VGG16 in float32
  and `fit` through all layers. It trains on 200 photos, and its time is scaled up.
- Accuracy is not measured here: the commands print it, with its interval.

## Others

| command | what it does |
|---|---|
{others}
"""

_PROGRAMS = {
    "device": "python -m benchmarks.device",
    "kills": "make kills",
    "review": "python -m benchmarks.review planted` or `next",
    "soak": "python -m benchmarks.soak models/catsdogs.h5 data/validation",
}


def benchmarks_page() -> str:
    """The parts of `python -m benchmarks`, and the programs beside it, by their docstrings."""
    package = griffe.load("benchmarks", search_paths=[DOCS.parent])
    order = [str(name) for name in package["parts._ORDER"].value.elements]
    parts = [(name.replace("_", "-"), package[f"parts.{name}"]) for name in order]
    others = [(call, package[name].docstring.value) for name, call in _PROGRAMS.items()]
    fuzz = ast.parse((DOCS.parent / "tests" / "fuzz.py").read_text(encoding="utf-8"))
    others.append(("make fuzz", ast.get_docstring(fuzz) or ""))
    return _BENCHMARKS.format(
        parts="\n".join(f"| `{name}` | {_summary(part.docstring.value)} |" for name, part in parts),
        others="\n".join(f"| `{call}` | {_summary(text)} |" for call, text in others),
    )


def _summary(docstring: str) -> str:
    """Its first paragraph, without the command that some begin with."""
    first = " ".join(docstring.split("\n\n")[0].split())
    text = re.sub(r"^`python [^`]*`: ", "", first)
    return (text[0].upper() + text[1:]).replace("|", chr(92) + "|")


_ANY_COUNT = get_args(config_module.Count)[1].metadata[0].le
"""Bounds what counts something, so that it stays a number: nobody comes near to it."""

_HEAD = "| key | default | values | what it is |\n|---|---|---|---|"


def _row(key: str, value: Any, field: FieldInfo, text: str) -> str:
    value = list(value) if isinstance(value, tuple) else value
    text = linked(" ".join(text.split())).replace("|", chr(92) + "|")
    values = _values(field.annotation, field.metadata)
    return f"| `{key}` | `{json.dumps(value)}` | {values} | {text} |"


def _values(kind: Any, rules: list[Any]) -> str:
    """What a key may be set to, in words."""
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        first = get_args(kind)[0]
        if first is str:
            return "a list of names"
        number, field = get_args(first)
        return f"a pair, {_values(number, field.metadata)}"
    if get_origin(kind) is dict:
        return "a table"
    if kind is str:
        return "a path" if any("_as_path" in repr(rule) for rule in rules) else "text"
    if kind is bool:
        return "`true`, `false`"
    names = ("ge", "gt", "le", "lt")
    bounds = {name: getattr(r, name) for r in rules for name in names if hasattr(r, name)}
    if kind is int and "lt" in bounds:
        bounds["le"] = bounds["lt"] - 1
    low = f"{bounds['ge']:,}" if "ge" in bounds else f"above {bounds['gt']:,}"
    if bounds.get("le") == _ANY_COUNT:
        return f"{low} or more"
    high = f"{bounds['le']:,}" if "le" in bounds else f"below {bounds['lt']:,}"
    return f"{low} to {high}"


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


PAGES = {
    "api.md": api_page,
    "benchmarks.md": benchmarks_page,
    "commands.md": commands_page,
    "settings.md": settings_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
