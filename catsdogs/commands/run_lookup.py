"""Which run is meant, which runs it stands on, and where its model is by now."""

from pathlib import Path

from catsdogs.commands.run_models import find_path, head_path
from catsdogs.config import RunConfig
from catsdogs.console import Console
from catsdogs.errors import DataError, ModelFileError
from catsdogs.files import exists, is_dir
from catsdogs.model.metadata import Metadata, read_metadata
from catsdogs.run import RunDir, list_run_dirs
from catsdogs.run_metrics import RunMetrics

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
    path = next((path for path in (named, parent / named) if is_dir(path)), None)
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
    others = {
        theirs.run_id: (other, theirs)
        for other, theirs in list_finished(run.path.parent, console)
        if theirs.run_id
    }
    others.pop(metrics.run_id, None)
    chain = [(run, metrics)]
    while before := others.pop(chain[0][1].start_run_id, None):
        chain.insert(0, before)
    return chain


def find_model(run: RunDir, metrics: RunMetrics) -> tuple[Path, Metadata]:
    """The model that a run saved: where it was written, or where `finetune` left it.

    Raises:
        ModelFileError: it is gone, or another one is in its place.
    """
    path = find_path(run, metrics.model)
    for candidate in (path, head_path(path)):
        if exists(candidate) and is_of_run(metadata := read_metadata(candidate), metrics):
            return candidate, metadata
    metadata = read_metadata(path)
    if not metrics.run_id:
        raise ModelFileError(
            f"{run.path} is of a version of catsdogs that did not record which model is its own: "
            "name the model",
            key="model",
        )
    raise ModelFileError(
        f"{path} is no longer the model of {run.path}: it was replaced by `{metadata.stage}` at "
        f"{metadata.created}. Report on that run, or name this one's model",
        key="model",
    )


def is_of_run(metadata: Metadata, metrics: RunMetrics) -> bool:
    """Tell whether a model file is the one that a run saved; no where that was not recorded."""
    return bool(metrics.run_id) and metadata.run_id == metrics.run_id
