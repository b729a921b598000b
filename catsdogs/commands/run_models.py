"""Where the models of runs are by now: several runs write one file, one after another."""

import datetime
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from catsdogs.errors import CatsdogsError
from catsdogs.files import exists, real_path
from catsdogs.run import RunDir
from catsdogs.run_metrics import RunMetrics


def find_path(run: RunDir, text: str) -> Path:
    """A path as a run knows it: from here, or from the folder that its `runs` is in."""
    path = Path(text)
    from_there = real_path(run.path).parent.parent / path
    return from_there if not exists(path) and exists(from_there) else path


def head_path(path: Path) -> Path:
    """Where the head-only model stays when its fine-tuned successor is written to `path`."""
    return path.parent / f"{path.stem}.head{path.suffix}"


@dataclass(frozen=True)
class _Writing:
    """A run may have written a file. Attributes: when, seconds since 1970; whose model it was."""

    start: float
    end: float
    run_id: str


class ModelFiles:
    """Finds the models of runs.

    Args:
        runs: those that came to their end, each with what it gave.
    """

    def __init__(self, runs: Iterable[tuple[RunDir, RunMetrics]]) -> None:
        self._writings: dict[Path, list[_Writing]] = {}
        self._owners: dict[Path, str] = {}
        for run, metrics in runs:
            path = find_path(run, metrics.model)
            self._add(path, metrics, metrics.run_id)
            self._add(head_path(path), metrics, metrics.start_run_id)

    def _add(self, path: Path, metrics: RunMetrics, run_id: str) -> None:
        with suppress(ValueError, OverflowError, OSError):  # no times, or at an end of the calendar
            start, end = map(_seconds_of, (metrics.started, metrics.finished))
            self._writings.setdefault(real_path(path), []).append(_Writing(start, end, run_id))

    def find(self, run: RunDir, metrics: RunMetrics) -> Path | None:
        """Where the model of a run is: as it was written, or where `finetune` left it.

        None where it is gone, or another one is in its place. A run that did not record which
        model is its own has it where it was written, if there is a file.
        """
        path = find_path(run, metrics.model)
        if not metrics.run_id:
            return path if exists(path) else None
        places = (path, head_path(path))
        return next((at for at in places if exists(at) and self._owner(at) == metrics.run_id), None)

    def _owner(self, path: Path) -> str:
        """The run whose model a file holds; empty where nobody knows."""
        file = real_path(path)
        if file not in self._owners:
            self._owners[file] = self._owner_by_time(file) or _recorded_owner(file)
        return self._owners[file]

    def _owner_by_time(self, file: Path) -> str:
        """The one run that ran when the file was written; empty where none or several did.

        A model is the last thing but its record that a run writes, and opening a model to ask it
        takes a third as long as all that `catsdogs runs` does besides.
        """
        with suppress(OSError):
            written = os.stat(file).st_mtime  # noqa: PTH116 - as `exists` asks
            fitting = {
                one.run_id
                for one in self._writings.get(file, ())
                if one.start <= written < one.end + 1  # a record's times are whole seconds
            }
            if len(fitting) == 1:
                return fitting.pop()
        return ""


def _seconds_of(moment: str) -> float:
    """A time of day, ISO 8601, in seconds since 1970."""
    found = datetime.datetime.fromisoformat(moment)
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()


def _recorded_owner(file: Path) -> str:
    from catsdogs.model.metadata import read_metadata

    with suppress(CatsdogsError):
        return read_metadata(file).run_id
    return ""
