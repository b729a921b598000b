"""`catsdogs train` and `catsdogs finetune`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from catsdogs.commands.training_steps import TrainResult
    from catsdogs.config import Config, ModelConfig


def _training_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that train and finetune share."""
    options = [
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
    from catsdogs.modeling.backend import import_backend

    config = _load_config("train", flags)
    import_backend()
    from catsdogs.commands.train import train
    from catsdogs.reporting.console import Console

    _print_result(train(config, Console()))


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
    from catsdogs.modeling.backend import import_backend

    import_backend()
    from catsdogs.commands.finetune import finetune
    from catsdogs.modeling.model_file import read_metadata
    from catsdogs.reporting.console import Console

    if model is None:
        model = Path(_load_config("finetune", flags).output)
    elif not flags["output"]:
        flags["output"] = str(model)
    config = _load_config("finetune", flags, fixed_model=read_metadata(model).architecture)
    result = finetune(config, model, Console())
    click.echo(_compare_with_start(result))
    _print_result(result)


def _load_config(
    section: str, flags: dict[str, Any], fixed_model: "ModelConfig | None" = None
) -> "Config":
    """The configuration of a command: file, then --set, then the flags."""
    from catsdogs.config import assignments, load_config

    keys = {
        "data": "data.dir",
        "subsample": "data.subsample",
        "epochs": f"{section}.epochs",
        "seed": "seed",
        "output": "output",
    }
    overrides = assignments(flags["settings"])
    overrides |= {key: flags[flag] for flag, key in keys.items() if flags[flag] is not None}
    return load_config(flags["config_path"], overrides, fixed_model)


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
    from catsdogs.reporting.console import format_duration
    from catsdogs.reporting.text import printable

    if result.num_skipped:
        click.echo(f"{result.num_skipped:,} photos could not be read and were skipped")
    click.echo(f"validation {result.score}")
    click.echo(
        f"saved {printable(str(result.model_path))} (epoch {result.history.kept.number}) "
        f"after {format_duration(result.seconds)}, its record in {printable(str(result.run_path))}"
    )
