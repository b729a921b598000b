"""Records, old answers and feature stores that are damaged, and streams that take nothing."""

import os
import subprocess
import sys
from pathlib import Path

from . import Outcome, Situation

TITLE = "Records, feature stores and standard streams"
INTRODUCTION = (
    "What another program, a full disk or a stranger has left is named and passed over, or "
    "computed anew. What cannot be printed is lost, no more: the work is done all the same."
)


def by_shell(folder: Path, arguments: list[str]) -> Outcome:
    """Run the command with a shell's redirections."""
    done = subprocess.run(
        ["bash", "-c", f'exec "$0" -m catsdogs {" ".join(arguments)}', sys.executable],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
    )
    return Outcome([*done.stdout.splitlines(), *done.stderr.splitlines()], done.returncode)


def damaged_run(folder: Path) -> None:
    run = folder / "runs" / "20260101-120000-train"
    run.mkdir(parents=True)
    (run / "metrics.json").write_text("{}")


def damaged_card(folder: Path) -> None:
    store = folder / "store" / "features" / "1"
    store.mkdir(parents=True)
    (store / "trunk.json").write_text("[" * 10_000)


def pipe_for_answers(folder: Path) -> None:
    os.mkfifo(folder / "old.jsonl")


OLD_ANSWERS = "catsdogs predict photo.png --format jsonl --output old.jsonl --resume"

SITUATIONS = [
    Situation("a run whose record is damaged", "catsdogs runs", damaged_run, shows="note"),
    Situation(
        "an old answer that is none",
        OLD_ANSWERS,
        lambda folder: (folder / "old.jsonl").write_text("7\n"),
    ),
    Situation("a pipe in its place", OLD_ANSWERS, pipe_for_answers),
    Situation(
        "a store whose card is damaged",
        "catsdogs cache --dir store",
        damaged_card,
        shows="damaged",
    ),
    Situation("a full standard output", "catsdogs cache --dir data >/dev/full", run=by_shell),
    Situation("a closed standard output", "catsdogs cache --dir data >&-", run=by_shell),
    Situation("a closed standard error", "catsdogs cache --dir data 2>&-", run=by_shell),
]
