"""`python -m benchmarks.kills`: kill trainings at random moments, resume them, and compare.

Each time, the model that was there before must open, every feature in the store must be what the
frozen layers give, the resumed run must end with the history and the weights of an unbroken one,
and nothing half written may be left.
"""

import csv
import itertools
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
import h5py
import lmdb
import numpy as np

from benchmarks.measure import environment

SETTINGS = (
    *("--subsample", "10", "--set", "model.image_size=[32, 32]", "--set", "model.weights=random"),
    *("--set", "augment.views=2", "--set", "train.patience=0", "--set", "cache.dir=cache"),
)
COMMANDS = {"train": ("--epochs", "12"), "finetune": ("--epochs", "4")}
MODEL = Path("models", "catsdogs.h5")


@dataclass
class Reference:
    """An unbroken run. Attributes: its working folder; how many lines it said."""

    folder: Path
    num_lines: int


def start(command: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command of ours in a folder."""
    line = [sys.executable, "-m", "catsdogs", command, *arguments]
    return subprocess.Popen(
        line,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def complete(command: str, folder: Path, *arguments: str) -> str:
    """Run a command to its end; its output, with the exit code in the last line."""
    process = start(command, folder, *arguments)
    output, _ = process.communicate()
    return f"{output}exit {process.returncode}"


def run_unbroken(command: str, folder: Path) -> Reference:
    """Run a command as it is, with an empty store."""
    output = complete(command, folder, *COMMANDS[command], *SETTINGS)
    if not output.endswith("exit 0"):
        sys.exit(output)
    return Reference(folder, len(output.splitlines()) - 1)


def prepare(folder: Path, photos: Path, model: Path | None) -> Path:
    """A working folder with the photos, and a model that is there before."""
    (folder / "models").mkdir(parents=True)
    (folder / "data").symlink_to(photos)
    if model is not None:
        shutil.copyfile(model, folder / MODEL)
    return folder


@dataclass
class Moment:
    """When a run is killed. Attributes: after so many of its lines; and seconds after that."""

    line: int
    seconds: float

    def wait(self, process: subprocess.Popen[str]) -> str:
        """Wait until it has come; what the process said by then."""
        said = "".join(itertools.islice(process.stdout or (), self.line))
        time.sleep(self.seconds)
        return said


def kill_and_resume(command: str, folder: Path, reference: Reference, moment: Moment) -> str:
    """Kill a run at a moment and go on with it; what it was killed in.

    Raises:
        AssertionError: something is not as it should be.
    """
    process = start(command, folder, *COMMANDS[command], *SETTINGS)
    said = moment.wait(process)
    process.send_signal(signal.SIGKILL)
    said += process.communicate()[0]
    stage = stage_of(said) if process.returncode < 0 else "after its end"
    check(bool(weights_of(folder / MODEL)), "the model is there")
    check_store(folder, reference.folder)
    output = complete(command, folder, "--resume")
    if "exit 1" in output and ("holds no" in output or "left no checkpoint" in output):
        check(stage in ("start-up", "its beginning"), f"no run to resume in {stage}")
        output = complete(command, folder, *COMMANDS[command], *SETTINGS)
    has_ended = "came to its end" in output
    check(has_ended or output.endswith("exit 0"), output)
    check(history_of(folder) == history_of(reference.folder), "the history is the unbroken run's")
    for ours, theirs in zip(
        weights_of(folder / MODEL), weights_of(reference.folder / MODEL), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    check_store(folder, reference.folder)
    if has_ended:  # what was killed after its record was written is tidied up by the next run
        complete("train", folder, *COMMANDS["train"], *SETTINGS, "--epochs", "1")
    left = [path for path in folder.rglob("*") if ".part" in path.name or path.suffix == ".npz"]
    check(not left, f"left behind: {left}")
    return stage


def stage_of(said: str) -> str:
    """How far a run had come, from what it said."""
    if "epoch" in said:
        return "saving" if "epoch 12/12" in said or "epoch 4/4" in said else "the epochs"
    if "frozen layers" in said:
        return "the first epoch"
    return "its beginning" if "photos to train on" in said else "start-up"


def check(condition: bool, what: str) -> None:
    """Raise AssertionError where something is not so."""
    if not condition:
        raise AssertionError(what)


def history_of(folder: Path) -> list[dict[str, str]]:
    """The first finished run's epochs, without their times."""
    path = min(path.parent for path in folder.glob("runs/*/metrics.json")) / "history.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def weights_of(path: Path) -> list[np.ndarray]:
    """All weights in a model file."""
    arrays: list[np.ndarray] = []

    def collect(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            arrays.append(item[()])

    with h5py.File(path, "r") as file:
        file["model_weights"].visititems(collect)
    return arrays


def features_of(folder: Path) -> dict[bytes, bytes]:
    """All that is in the feature stores of a working folder."""
    found: dict[bytes, bytes] = {}
    for path in sorted(folder.glob("cache/features/*/data.mdb")):
        with lmdb.open(str(path.parent), readonly=True, lock=False) as env, env.begin() as view:
            found |= {path.parent.name.encode() + key: value for key, value in view.cursor()}
    return found


def check_store(folder: Path, reference: Path) -> None:
    """Every stored feature must be the one that an unbroken run stored."""
    expected = features_of(reference)
    for key, value in features_of(folder).items():
        check(expected[key] == value, "a feature differs")


@click.command()
@click.option("--runs", default=50, show_default=True, help="Kills, half of them in each command.")
@click.option("--seed", default=0, show_default=True, help="Of the moments.")
@click.option("--jobs", default=2, show_default=True, help="Runs at a time.")
def main(runs: int, seed: int, jobs: int) -> None:
    """Kill train and finetune at random moments, and resume them."""
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as work:
        root = Path(work)
        complete("sample", root)
        photos = root / "data"
        first = run_unbroken("train", prepare(root / "train", photos, None))
        before = first.folder / MODEL
        tuned = run_unbroken("finetune", prepare(root / "finetune", photos, before))
        references = {"train": first, "finetune": tuned}
        stages: Counter[str] = Counter()
        failures = []

        def run(number: int, command: str, moment: Moment) -> None:
            folder = prepare(root / str(number), photos, before)
            try:
                stage = kill_and_resume(command, folder, references[command], moment)
                stages[f"{command}, in {stage}"] += 1
                click.echo(f"{number:3} {command} killed in {stage}: as unbroken")
            except (AssertionError, OSError, KeyError, ValueError) as error:
                failures.append(number)
                click.echo(f"{number:3} {command} killed at {moment}: FAILED {error}")
            shutil.rmtree(folder)

        with ThreadPoolExecutor(jobs) as pool:
            for number in range(runs):
                command = "train" if number % 2 else "finetune"
                line = moments.randint(0, references[command].num_lines)
                seconds = moments.uniform(0, 1 if line else 5)  # imports, or the next line's work
                pool.submit(run, number, command, Moment(line, seconds))
    for what, count in sorted(stages.items()):
        click.echo(f"{count:3} {what}")
    click.echo(f"{runs - len(failures)} of {runs} ended as an unbroken run does")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
