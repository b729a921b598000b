"""What can go wrong, made to happen for real: the rows of docs/robustness.md.

A module a section; each has `TITLE`, `INTRODUCTION` and `SITUATIONS`. To add a row, add a
`Situation` to a module and run `python -m tests.situations`, which writes the document anew;
tests/test_robustness.py holds every row equal to what is really printed.
"""

import contextlib
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from click.testing import CliRunner
from PIL import Image

from catsdogs.cli import main

TINY = ("--set", "model.image_size=[32, 32]", "--set", "model.weights=random")
"""For `train`: a network that is built and trained in a second or two."""


@dataclass(frozen=True)
class Outcome:
    """What a command left."""

    lines: list[str]
    exit_code: int


def in_process(folder: Path, arguments: list[str]) -> Outcome:
    """Run the command in this process; anything but a clean end is raised."""
    result = CliRunner().invoke(main, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome([*result.stdout.splitlines(), *result.stderr.splitlines()], result.exit_code)


@dataclass(frozen=True)
class Situation:
    """One row.

    Attributes:
        what: happened, for the reader.
        command: as it is typed.
        prepare: makes it happen in a working folder that has `data/`, a trained
            `models/catsdogs.h5` (a link: `own_model` makes a copy to damage) and `photo.png`.
        shows: part of the line that is shown; empty: the last line.
        hidden: further arguments that the reader need not know.
        run: how the command is run.
    """

    what: str
    command: str
    prepare: Callable[[Path], object] = lambda folder: None
    shows: str = ""
    hidden: tuple[str, ...] = ()
    run: Callable[[Path, list[str]], Outcome] = in_process

    def row(self, folder: Path) -> str:
        """Make it happen in a fresh working folder; the row of the table."""
        with contextlib.chdir(folder):
            self.prepare(folder)
            arguments = [*shlex.split(self.command)[1:], *self.hidden]
            outcome = self.run(folder, arguments)
        lines = [line for line in outcome.lines if self.shows in line]
        if not lines:
            raise AssertionError(f"{self.shows!r} is in none of {outcome.lines}")
        line = lines[0] if self.shows else lines[-1]
        cells = (self.what, _code(self.command), _code(_steady(line)), str(outcome.exit_code))
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence} {text} {fence}" if fence == "``" else f"`{text}`"


def _steady(line: str) -> str:
    """Without what differs from run to run or from machine to machine."""
    line = re.sub(r"\d{8}-\d{6}(-\d+)?-", "TIME-", line.strip())
    line = re.sub(r"\b[0-9a-f]{32}\b", "HASH", line)
    line = re.sub(r"\b\d\.\d{4,}(e-\d+)?", "N", line)
    line = re.sub(r"after epoch \d+", "after epoch N", line)
    return re.sub(r"(\(|after )[\d.]+ (s|bytes)\b", r"\1N \2", line)


def make_photo(path: Path, colour: tuple[int, int, int] = (200, 90, 60), seed: int = 0) -> None:
    """Noise of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-50, 51, (40, 50, 3)) + colour
    Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)).save(path)


def make_template(folder: Path) -> None:
    """The working folder that each situation gets a copy of."""
    seed = 0
    for split, count in (("train", 4), ("validation", 2)):
        for name, colour in (("cats", (200, 90, 60)), ("dogs", (60, 90, 200))):
            for number in range(count):
                seed += 1
                make_photo(folder / "data" / split / name / f"{number}.png", colour, seed)
    make_photo(folder / "photo.png")
    with contextlib.chdir(folder):
        outcome = in_process(folder, ["train", "--epochs", "1", *TINY])
    if outcome.exit_code:
        raise AssertionError(outcome.lines)
    with h5py.File(folder / "models" / "catsdogs.h5", "r+") as file:  # dogs, on every backend
        layer = file["model_weights/probabilities/probabilities"]
        layer["kernel"][...] = 0
        layer["bias"][...] = [0, 1]


def working_folder(template: Path, folder: Path) -> Path:
    """A copy of the template, with a link to its model."""
    model = Path("models", "catsdogs.h5")
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns("models", "runs"))
    (folder / "models").mkdir()
    (folder / model).symlink_to(template / model)
    return folder


def own_model(folder: Path) -> Path:
    """Put a copy of the model in the place of the link to it."""
    path = folder / "models" / "catsdogs.h5"
    original = path.resolve()
    path.unlink()
    return Path(shutil.copyfile(original, path))


def edit_model(folder: Path, edit: Callable[[h5py.File], object]) -> None:
    """Change a copy of the model in its place."""
    with h5py.File(own_model(folder), "r+") as file:
        edit(file)
