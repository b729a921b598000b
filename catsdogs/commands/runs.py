"""`catsdogs runs`: what the trainings so far gave."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from catsdogs.commands.run_models import ModelFiles, find_path
from catsdogs.config_file import load_config
from catsdogs.errors import CatsdogsError, DataError
from catsdogs.files import exists, is_dir
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
        model_path: where its model is now; None where there is none, it is gone, or another one
            is in its place.
        is_replaced: another one is.
    """

    path: Path
    command: str
    metrics: RunMetrics | None
    damage: str
    last_epoch: int | None
    planned_epochs: int | None
    model_path: Path | None
    is_replaced: bool

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
    read = [(run, *_read_metrics(run)) for run in list_run_dirs(parent)]
    models = ModelFiles((run, metrics) for run, metrics, _ in read if metrics)
    found = [_summarise(run, metrics, damage, models) for run, metrics, damage in read]
    if best:
        found.sort(key=lambda run: -run.metrics.accuracy if run.metrics else 1)
    return found


def _read_metrics(run: RunDir) -> tuple[RunMetrics | None, str]:
    """What a run gave, and why that cannot be read."""
    try:
        return run.read_metrics(), ""
    except DataError as error:
        return None, str(error)


def _summarise(
    run: RunDir, metrics: RunMetrics | None, damage: str, models: ModelFiles
) -> RunSummary:
    model_path = models.find(run, metrics) if metrics else None
    return RunSummary(
        run.path,
        run.command,
        metrics,
        damage,
        _last_epoch(run),
        _planned_epochs(run),
        model_path,
        bool(metrics and not model_path and exists(find_path(run, metrics.model))),
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
