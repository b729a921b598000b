"""The options that `train` and `finetune` share, and the configuration that they make."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from catsdogs.cli.options import (
    PATH,
    Decorator,
    KeyOption,
    config_option,
    data_option,
    settings_option,
)
from catsdogs.cli.process_options import process_options
from catsdogs.errors import ConfigError

if TYPE_CHECKING:
    from catsdogs.config import Command, Config, ModelConfig
    from catsdogs.run import RunDir


def training_options(*own: Decorator) -> Decorator:
    """The options that train and finetune share, in the order of use; `own` come after the data."""
    options = [
        data_option,
        *own,
        click.option(
            "--epochs",
            cls=KeyOption,
            key="{command}.epochs",
            metavar="N",
            type=int,
            help="Train for at most N epochs.",
        ),
        click.option(
            "--subsample",
            cls=KeyOption,
            key="data.subsample",
            metavar="N",
            type=int,
            help="Use every N-th photo of each class and split.",
        ),
        click.option(
            "--unknown",
            cls=KeyOption,
            key="unknown.share",
            metavar="SHARE",
            type=float,
            help="Let the model answer `neither` to so much of the ordinary photos, e.g. 0.02.",
        ),
        click.option(
            "--seed",
            cls=KeyOption,
            key="seed",
            metavar="N",
            type=int,
            help="The number that all chance comes from: the same one, the same result.",
        ),
        click.option(
            "--output",
            cls=KeyOption,
            key="output",
            metavar="FILE",
            type=PATH,
            help="The model file.  [default: models/catsdogs.h5]",
        ),
        config_option(),
        settings_option("Set any key of the configuration, e.g. train.learning_rate=0.01."),
        click.option("--resume", is_flag=True, help="Go on with the newest run that did not end."),
        process_options,
    ]

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def find_request(command: "Command", flags: dict[str, Any]) -> "tuple[Config, RunDir | None]":
    """The configuration of a training, and the run that it goes on with."""
    if not flags["resume"]:
        return configuration(flags), None
    from catsdogs.training.resuming import resumed_config, unfinished_run

    if flags["config_path"]:
        raise ConfigError("--resume goes on with the run's own configuration: leave out --config")
    overrides = _overrides(flags)
    run = unfinished_run(command, overrides)
    return resumed_config(run, overrides), run


def configuration(flags: dict[str, Any], fixed_model: "ModelConfig | None" = None) -> "Config":
    """The configuration of a command: file, then --set, then the flags."""
    from catsdogs.config_file import load_config

    return load_config(flags["config_path"], _overrides(flags), fixed_model)


def _overrides(flags: dict[str, Any]) -> dict[str, Any]:
    """Whole keys to values: --set, then the flags."""
    from catsdogs.config_file import assignments

    context = click.get_current_context()
    return assignments(flags["settings"]) | {
        option.key_of(context.info_name or ""): _plain(flags[option.name])
        for option in context.command.params
        if isinstance(option, KeyOption) and option.name and flags.get(option.name) is not None
    }


def _plain(value: Any) -> Any:
    """A value as a configuration file could hold it."""
    return str(value) if isinstance(value, Path) else value
