"""`catsdogs train` and `catsdogs finetune`."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from catsdogs.cli.processes import TeamFlags, team_options

if TYPE_CHECKING:
    from catsdogs.cli.brake import SignalBrake
    from catsdogs.commands.training_steps import TrainResult
    from catsdogs.config import Config, ModelConfig
    from catsdogs.console import Console
    from catsdogs.run import Command, RunDir


def _training_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that train and finetune share."""
    options: list[Callable[[Callable[..., None]], Callable[..., None]]] = [
        click.option(
            "--config",
            "config_path",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="A TOML file with what differs from the defaults.",
        ),
        click.option("--data", metavar="DIR", help="The folder of photos.  [default: data]"),
        click.option(
            "--subsample",
            metavar="N",
            type=int,
            help="Use every N-th photo of each class and split.",
        ),
        click.option("--epochs", metavar="N", type=int, help="At most so many epochs."),
        click.option("--seed", metavar="N", type=int, help="Of everything that is drawn."),
        click.option(
            "--set",
            "settings",
            metavar="KEY=VALUE",
            multiple=True,
            help="Set any key of the configuration, e.g. train.learning_rate=0.01.",
        ),
        click.option(
            "--output", metavar="FILE", help="The model file.  [default: models/catsdogs.h5]"
        ),
        click.option("--resume", is_flag=True, help="Go on with the newest run that did not end."),
        team_options,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_training_options
def train(**flags: Any) -> None:
    """Train a head on the frozen backbone and save the classifier.

    \b
    catsdogs train --subsample 20 --epochs 1
    """
    team = TeamFlags.take(flags)
    config, run = _find_request("train", flags)
    with team.joined("train") as leads:
        from catsdogs.commands.train import train

        with _ending_gently(team) as brake:
            result = train(config, _console(leads), brake, run)
        if leads:
            _print_result(result)
    _end_if_interrupted(result, brake)


@click.command()
@_training_options
@click.option(
    "--model",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The model to start from, and to replace.  [default: models/catsdogs.h5]",
)
def finetune(model: Path | None, **flags: Any) -> None:
    """Train the top block too; keep the result if it is better.

    \b
    catsdogs finetune --epochs 2
    """
    team = TeamFlags.take(flags)
    config, run = None, None
    if flags["resume"]:
        config, run = _find_request("finetune", flags)
    with team.joined("finetune") as leads:
        from catsdogs.commands.finetune import finetune
        from catsdogs.network.model_file import read_metadata

        if config is None:
            if model is None:
                model = Path(_load_config("finetune", flags).output)
            elif not flags["output"]:
                flags["output"] = str(model)
            config = _load_config("finetune", flags, fixed_model=read_metadata(model).architecture)
        with _ending_gently(team) as brake:
            result = finetune(config, model, _console(leads), brake, run)
        if leads:
            click.echo(_compare_with_start(result))
            _print_result(result)
    _end_if_interrupted(result, brake)


def _end_if_interrupted(result: "TrainResult", brake: "SignalBrake | None") -> None:
    if brake and result.history.interrupted:
        _end_process(brake.exit_code)


def _console(leads: bool) -> "Console":
    """Where progress is shown: by one process for all of them."""
    from catsdogs.console import Console

    return Console() if leads else Console(io.StringIO())


@contextmanager
def _ending_gently(team: TeamFlags) -> Iterator["SignalBrake | None"]:
    """Let the first Ctrl-C or SIGTERM end a training with what is best so far.

    One of several processes ends at once: the others would wait for its next step.
    """
    if team.several:
        yield None
        return
    from catsdogs.cli.brake import SignalBrake
    from catsdogs.training.fitting import StopRequested

    brake = SignalBrake()
    try:
        yield brake
    except StopRequested as stopped:
        click.echo(stopped, err=True)
        _end_process(brake.exit_code)


def _end_process(exit_code: int) -> NoReturn:
    """End a stopped training, whose pass over the photos is still open.

    TensorFlow would complain of that while Python shuts down. Nothing is left to be tidied up.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _find_request(command: "Command", flags: dict[str, Any]) -> "tuple[Config, RunDir | None]":
    """The configuration of a training, and the run that it goes on with."""
    if not flags["resume"]:
        return _load_config(command, flags), None
    from catsdogs.errors import ConfigError
    from catsdogs.training.resuming import resumed_config, unfinished_run

    if flags["config_path"]:
        raise ConfigError("--resume goes on with the run's own configuration: leave out --config")
    overrides = _overrides(command, flags)
    run = unfinished_run(command, overrides)
    return resumed_config(run, overrides), run


def _load_config(
    section: str, flags: dict[str, Any], fixed_model: "ModelConfig | None" = None
) -> "Config":
    """The configuration of a command: file, then --set, then the flags."""
    from catsdogs.config import load_config

    return load_config(flags["config_path"], _overrides(section, flags), fixed_model)


def _overrides(section: str, flags: dict[str, Any]) -> dict[str, Any]:
    """Whole keys to values: --set, then the flags."""
    from catsdogs.config import assignments

    keys = {
        "data": "data.dir",
        "subsample": "data.subsample",
        "epochs": f"{section}.epochs",
        "seed": "seed",
        "output": "output",
    }
    overrides = assignments(flags["settings"])
    return overrides | {k: flags[flag] for flag, k in keys.items() if flags[flag] is not None}


def _compare_with_start(result: "TrainResult") -> str:
    """In one line, which epoch won and by how much."""
    start, kept = result.history.epochs[0], result.history.kept
    if kept is start:
        return "kept epoch 0: no epoch had a better validation loss than the start"
    return (
        f"kept epoch {kept.number}: validation loss {kept.validation_loss:.4f} "
        f"against {start.validation_loss:.4f} at the start, "
        f"accuracy {kept.validation_accuracy - start.validation_accuracy:+.4f}"
    )


def _print_result(result: "TrainResult") -> None:
    from catsdogs.console import format_duration
    from catsdogs.text import printable

    if result.num_skipped:
        click.echo(f"{result.num_skipped:,} photos could not be read and were skipped")
    click.echo(f"validation {result.score}")
    click.echo(
        f"saved {printable(str(result.model_path))} (epoch {result.history.kept.number}) "
        f"after {format_duration(result.seconds)}, its record in {printable(str(result.run_path))}"
    )
