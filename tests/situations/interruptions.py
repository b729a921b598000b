"""Trainings that are stopped, and what `--resume` says."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from . import TINY, Outcome, Situation, in_process

TITLE = "Interruptions"
INTRODUCTION = (
    "The model that was saved before stays whole and loadable whenever a training is stopped or "
    "killed; `--resume` carries on from the last epoch that ended."
)


def signalled(number: signal.Signals, moment: str) -> Callable[[Path, list[str]], Outcome]:
    """Run the command in a process of its own, and send it a signal once it has said `moment`."""

    def run(folder: Path, arguments: list[str]) -> Outcome:
        process = subprocess.Popen(
            [sys.executable, "-m", "catsdogs", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as in a terminal
        )
        lines = []
        for line in process.stderr or ():
            lines.append(line.rstrip("\n"))
            if moment in line:
                process.send_signal(number)
                break
        lines += [line.rstrip("\n") for line in process.stderr or ()]
        if process.stderr:
            process.stderr.close()
        return Outcome(lines, process.wait(timeout=120))

    return run


EPOCH_ENDS = "epoch {}/5000  loss "
"""Where a machine is slow, lines about steps begin with the epoch as well."""


def finished_run(folder: Path) -> None:
    in_process(folder, ["train", "--epochs", "1", *TINY])


def killed_run(folder: Path) -> None:
    """As a kill leaves it: the checkpoint stays, which follows the line of its epoch."""
    run = signalled(signal.SIGKILL, EPOCH_ENDS.format(2))
    run(folder, ["train", "--epochs", "5000", *TINY])


SITUATIONS = [
    *(
        Situation(
            f"{name} while it trains",
            "catsdogs train",
            shows="carries on",
            hidden=("--epochs", "5000", *TINY),
            run=signalled(number, EPOCH_ENDS.format(1)),
        )
        for name, number in (("Ctrl-C", signal.SIGINT), ("SIGTERM", signal.SIGTERM))
    ),
    Situation(
        "other settings than the killed run has",
        "catsdogs train --resume --set model.dropout=0.1",
        killed_run,
    ),
    Situation("nothing to resume", "catsdogs finetune --resume"),
    Situation("a run that came to its end", "catsdogs train --resume", finished_run),
]
