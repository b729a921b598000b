"""Finding the run that `--resume` goes on with, and making sure that it is the same one."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catsdogs.config import Command, Config, RunConfig, flatten, free_keys
from catsdogs.config_file import load_config
from catsdogs.errors import ConfigError, DataError
from catsdogs.files import exists
from catsdogs.run import RunDir, list_run_dirs
from catsdogs.systems import shell_word

if TYPE_CHECKING:  # the run is looked for before Keras is imported, which takes seconds
    from catsdogs.training.checkpoint import RunFacts


def unfinished_run(command: Command, overrides: Mapping[str, Any]) -> RunDir:
    """Find the newest run of a command that did not come to its end.

    Args:
        command: which one.
        overrides: as given with `--resume`; `run.dir` says where to look.

    Raises:
        DataError: there is none, or none that can go on.
    """
    config = load_config(None, {k: v for k, v in overrides.items() if k == "run.dir"})
    parent = Path(config.run.dir)
    runs = [run for run in reversed(list_run_dirs(parent)) if run.command == command]
    problems = []
    for run in runs:
        if exists(run.metrics_path):
            problems.append(f"{run.path} came to its end: there is nothing to resume")
        elif not exists(run.checkpoint_path):
            problems.append(f"{run.path} left no checkpoint to go on from: start anew")
        else:
            try:
                with run.claimed(exclusively=False):
                    return run
            except DataError as error:
                problems.append(str(error))
    raise DataError(
        problems[0]
        if problems
        else f"{parent} holds no {command} to resume: start one by `catsdogs {command}`, "
        "or choose the folder that holds it",
        key=None if problems else "run.dir",
    )


def left_to_resume(command: Command, parent: Path, since: float) -> bool:
    """Whether a process that has ended left something to go on with.

    Args:
        command: what it ran.
        parent: the folder of its runs.
        since: when it began, in seconds since 1970.
    """
    newest = [run for run in list_run_dirs(parent) if run.command == command][-1:]
    with suppress(OSError):
        return any(
            not exists(run.metrics_path) and run.checkpoint_path.stat().st_mtime >= since
            for run in newest
        )
    return False


def resumed_config(run: RunDir, overrides: Mapping[str, Any]) -> Config:
    """The configuration of a run, with what may be different when it goes on.

    Raises:
        ConfigError: a key would change what is learned, or the file of the run cannot be read.
    """
    if not exists(run.config_path):
        raise ConfigError(f"{run.config_path} does not exist: start anew")
    try:
        before = flatten(load_config(run.config_path))
    except ConfigError as error:
        raise ConfigError(
            f"{run.path} cannot be gone on with ({error.message}): start anew"
        ) from None
    wanted = load_config(run.config_path, overrides)
    after = flatten(wanted)
    free = free_keys("resume")
    for key, value in after.items():
        if key not in free and value != before[key]:
            raise ConfigError(f"{key} is fixed in {run.path}: leave it out, or start anew")
    return wanted


def check_same(run: RunDir, begun: "RunFacts", found: "RunFacts", has_epochs: bool) -> None:
    """Make sure that going on ends where the run would have ended without the break.

    Args:
        run: the run.
        begun: what it began with.
        found: what is there now.
        has_epochs: whether an epoch has ended; trained weights are in the checkpoint then.

    Raises:
        DataError: photos, weights or backend are other ones.
    """
    if found.backend != begun.backend:
        raise DataError(
            f"{run.path} began with the Keras backend {begun.backend}: "
            f"set KERAS_BACKEND={begun.backend} to go on with it"
        )
    if found.photos != begun.photos:
        raise DataError(
            f"the photos are not those that {run.path} began with, in number, content or order: "
            "bring them back, or start anew"
        )
    same = found.frozen_weights == begun.frozen_weights
    if not has_epochs:
        same = same and found.start_weights == begun.start_weights
    if not same:
        source = found.model or "the weights of the backbone"
        verb = "is" if found.model else "are"
        raise DataError(
            f"{source} {verb} not what {run.path} began with: bring that back, or start anew"
        )


def resume_command(command: Command, config: Config) -> str:
    """What the user types to go on with a run."""
    if config.run.dir == RunConfig().dir:
        return f"catsdogs {command} --resume"
    return f"catsdogs {command} --resume --set {shell_word(f'run.dir={config.run.dir}')}"
