"""`catsdogs runs`: what the trainings so far gave."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from catsdogs.config_file import load_config
from catsdogs.errors import CatsdogsError, DataError
from catsdogs.files import is_dir
from catsdogs.run import RunDir, list_run_dirs
from catsdogs.run_metrics import RunMetrics
from catsdogs.untrusted.boundary import foreign_bytes


@dataclass(frozen=True)
class RunSummary:
    """One run.

    Attributes:
        path: its folder.
        command: which one it was.
        metrics: what it gave; None where it did not come to its end.
        damage: why `metrics.json` cannot be read; empty otherwise.
        last_epoch: the last one that ended; None before the first.
        planned_epochs: how many there were to be; None where that cannot be read.
    """

    path: Path
    command: str
    metrics: RunMetrics | None
    damage: str
    last_epoch: int | None
    planned_epochs: int | None

    @property
    def status(self) -> str:
        """`finished`, `unfinished` or `damaged`."""
        return "finished" if self.metrics else "damaged" if self.damage else "unfinished"


def runs(parent: Path, best: bool) -> list[RunSummary]:
    """List the runs in a folder.

    Args:
        parent: holds the run directories.
        best: by accuracy, the best first, those without a result last; otherwise by time,
            the oldest first.

    Raises:
        DataError: there is no such folder.
    """
    if not is_dir(parent):
        raise DataError(
            f"no folder {parent}: run `catsdogs train` first, or give another", key="folder"
        )
    found = [_summarise(run) for run in list_run_dirs(parent)]
    if best:
        found.sort(key=lambda run: -run.metrics.accuracy if run.metrics else 1)
    return found


def _summarise(run: RunDir) -> RunSummary:
    metrics, damage = None, ""
    try:
        metrics = run.read_metrics()
    except DataError as error:
        damage = str(error)
    return RunSummary(
        run.path, run.command, metrics, damage, _last_epoch(run), _planned_epochs(run)
    )


def _last_epoch(run: RunDir) -> int | None:
    with suppress(DataError), foreign_bytes(run.history_path):
        epochs = run.read_history()
        return int(epochs[-1]["number"] or 0) if epochs else None
    return None


def _planned_epochs(run: RunDir) -> int | None:
    try:
        config = load_config(run.config_path)
    except CatsdogsError:
        return None
    return config.train.epochs if run.command == "train" else config.finetune.epochs
