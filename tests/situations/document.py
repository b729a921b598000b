"""docs/robustness.md, put together from the situations."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

from . import (
    Situation,
    configuration,
    interruptions,
    lists,
    models,
    names,
    outputs,
    photos,
    records,
    training,
    working_folder,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "robustness.md"

SECTIONS = [photos, lists, training, interruptions, outputs, models, records, configuration, names]

HEAD = """# What can go wrong, and what is said then

Each row happens for real in the tests, and the line is what is printed. Write the page anew
by `python -m tests.situations`. `N`, `TIME` and `HASH` stand for what differs from run to run;
`train` ran with a network of 32 pixels and random weights.
"""


def situations() -> list[Situation]:
    """All of them, in the order of the document."""
    return [situation for section in SECTIONS for situation in section.SITUATIONS]


def render(rows: Iterator[str]) -> str:
    """The document, from the rows of all situations."""
    text = HEAD
    for section in SECTIONS:
        text += f"\n## {section.TITLE}\n\n{textwrap.fill(section.INTRODUCTION, 95)}\n\n"
        text += "| situation | command | line | exit status |\n|---|---|---|---|\n"
        text += "".join(f"{next(rows)}\n" for _ in section.SITUATIONS)
    return text


def happen(template: Path, parent: Path) -> Iterator[str]:
    """The rows of all situations, each in a working folder of its own."""
    for number, situation in enumerate(situations()):
        yield situation.row(working_folder(template, parent / str(number)))
