"""Which run is meant, which runs it stands on, and where its model is by now."""

import datetime
from pathlib import Path

from catsdogs.commands.finetune import head_path
from catsdogs.config import RunConfig
from catsdogs.console import Console
from catsdogs.errors import DataError, ModelFileError
from catsdogs.network.metadata import Metadata, read_metadata
from catsdogs.run import RunDir, RunMetrics, list_run_dirs

FinishedRun = tuple[RunDir, RunMetrics]


def find_run(named: Path | None, console: Console) -> FinishedRun:
    """The run that a user means.

    Args:
        named: its folder, or the name of a folder in `runs`; None means the newest one that
            came to its end.
        console: is told of runs that cannot be read.

    Raises:
        DataError: there is no such run, or it did not come to its end.
    """
    parent = Path(RunConfig().dir)
    if named is None:
        finished = list_finished(parent, console)
        if not finished:
            raise DataError(
                f"no finished run in {parent}: run `catsdogs train` first, or give its folder"
            )
        return finished[-1]
    path = next((path for path in (named, parent / named) if path.is_dir()), None)
    if path is None:
        raise DataError(f"no run {named}: `catsdogs runs` lists those that there are")
    metrics = RunDir(path).read_metrics()
    if metrics is None:
        raise DataError(f"{path} has no metrics.json: the run did not come to its end")
    return RunDir(path), metrics


def list_finished(parent: Path, console: Console) -> list[FinishedRun]:
    """The runs in a folder that came to their end, the oldest first; warns of damaged ones."""
    found = []
    for run in list_run_dirs(parent):
        try:
            metrics = run.read_metrics()
        except DataError as error:
            console.warn(str(error))
            continue
        if metrics is not None:
            found.append((run, metrics))
    return found


def stands_on(run: RunDir, metrics: RunMetrics, console: Console) -> list[FinishedRun]:
    """A run with those before it whose models it started from, the first training first."""
    others = list_finished(run.path.parent, console)
    chain = [(run, metrics)]
    while created := chain[0][1].start_created:
        before = [
            (other, theirs)
            for other, theirs in others
            if _made_in(created, theirs) and other.path not in {one.path for one, _ in chain}
        ]
        if not before:
            break
        chain.insert(0, before[-1])
    return chain


def _made_in(created: str, metrics: RunMetrics) -> bool:
    """Tell by its time whether a model was saved by a run."""
    try:
        moments = [
            datetime.datetime.fromisoformat(text)
            for text in (metrics.started, created, metrics.finished)
        ]
        return moments[0] <= moments[1] <= moments[2]
    except (ValueError, TypeError):
        return False


def find_path(run: RunDir, text: str) -> Path:
    """A path as a run knows it: from here, or from the folder that its `runs` is in."""
    path = Path(text)
    from_there = run.path.resolve().parent.parent / path
    return from_there if not path.exists() and from_there.exists() else path


def find_model(run: RunDir, metrics: RunMetrics) -> tuple[Path, Metadata]:
    """The model that a run saved: where it was written, or where `finetune` left it.

    Raises:
        ModelFileError: it is gone, or another one is in its place.
    """
    path = find_path(run, metrics.model)
    for candidate in (path, head_path(path)):
        if candidate.exists() and is_of_run(metadata := read_metadata(candidate), metrics):
            return candidate, metadata
    metadata = read_metadata(path)
    raise ModelFileError(
        f"{path} is no longer the model of {run.path}: it was replaced by `{metadata.stage}` at "
        f"{metadata.created}. Report on that run, or give this one's model by --model FILE"
    )


def is_of_run(metadata: Metadata, metrics: RunMetrics) -> bool:
    """Tell whether a model file is the one that a run saved."""
    return (
        metadata.stage == metrics.command
        and metadata.kept_epoch == metrics.kept_epoch
        and metadata.validation.loss == metrics.loss
        and _made_in(metadata.created, metrics)
    )
