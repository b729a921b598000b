"""The command line: parse, call one command, print its answer, exit.

The only module that knows Click. Everything heavy is imported inside the callbacks, so that
`--help` answers at once. The answer goes to stdout, progress to stderr.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from catsdogs import __version__
from catsdogs.errors import CatsdogsError
from catsdogs.reporting.text import printable

if TYPE_CHECKING:
    from catsdogs.commands.training_steps import TrainResult
    from catsdogs.config import Config, ModelConfig

INTERRUPTED = 130  # what shells report for a process that Ctrl-C ended


class _Group(click.Group):
    """Turns errors that a user can mend into one line and an exit code."""

    def list_commands(self, context: click.Context) -> list[str]:
        """In the order of use, which is that of their definition."""
        return list(self.commands)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except CatsdogsError as error:
            click.echo(f"error: {printable(str(error))}", err=True)
            context.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("stopped: nothing that was saved before has changed", err=True)
            context.exit(INTERRUPTED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="catsdogs")
def main() -> None:
    """Train an image classifier from a folder of photos per class.

    \b
    catsdogs train --subsample 20 --epochs 1
    catsdogs finetune --epochs 2
    catsdogs predict image.jpg
    """


@main.command()
@click.argument("folder", metavar="[DIR]", default="data", type=click.Path(path_type=Path))
def sample(folder: Path) -> None:
    """Unpack the built-in photos into DIR (default: data).

    \b
    catsdogs sample
    """
    from catsdogs.commands.sample import sample

    result = sample(folder)
    written = f"{result.num_written:,} written" if result.num_written else "all there already"
    click.echo(f"{result.folder}: {result.num_photos:,} photos of cats and dogs, {written}")


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


@main.command()
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


@main.command()
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


@main.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--model",
    metavar="FILE",
    default="models/catsdogs.h5",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The model to ask.",
)
@click.option(
    "--top",
    metavar="K",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Lines a photo, the most probable class first; text only.",
)
@click.option(
    "--format",
    "format_name",
    default="text",
    show_default=True,
    type=click.Choice(["text", "json", "jsonl", "csv"]),
    help="All but text give the probabilities of all classes.",
)
@click.option(
    "--precision",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    help="What the network computes in.",
)
def predict(
    paths: tuple[str, ...], model: Path, top: int, format_name: str, precision: str
) -> None:
    """Name what is in photos: files, folders or globs.

    \b
    catsdogs predict image.jpg
    """
    from catsdogs.modeling.backend import import_backend

    import_backend()
    from catsdogs.commands.predict import Predictor, find_photos
    from catsdogs.reporting.console import Console
    from catsdogs.reporting.predictions import write_predictions

    photos = find_photos(paths)
    predictor = Predictor(model, precision)
    # on a terminal the answers themselves show the progress, and a bar would break their lines
    console = None if sys.stdout.isatty() else Console()
    predictions = predictor.predict(photos, console)
    class_names = predictor.metadata.class_names
    num_failed = write_predictions(predictions, class_names, format_name, top, click.echo)
    if num_failed:
        click.echo(f"{num_failed:,} of {len(photos):,} photos could not be read", err=True)
        sys.exit(CatsdogsError.exit_code)


@main.command()
def info() -> None:
    """Show versions, device, precision, source of the weights.

    \b
    catsdogs info
    """
    from catsdogs.modeling.backend import import_backend

    import_backend()
    from catsdogs.commands.info import info

    facts = info()
    width = max(map(len, facts))
    for name, fact in facts.items():
        click.echo(f"{name:{width}}  {fact}")


@main.command()
@click.option("--dir", "folder", metavar="DIR", help="The cache folder.  [default: the user's]")
@click.option("--clear", is_flag=True, help="Delete all of it.")
def cache(folder: str | None, clear: bool) -> None:
    """Show what the feature store holds, or empty it.

    \b
    catsdogs cache --clear
    """
    from catsdogs.modeling.backend import import_backend

    import_backend()
    from catsdogs.commands import cache as command
    from catsdogs.config import CacheConfig
    from catsdogs.modeling.feature_store import cache_dir

    config = CacheConfig(dir=folder or "")
    if clear:
        click.echo(f"{command.clear(config) / 2**20:,.1f} MiB freed in {cache_dir(config)}")
        return
    entries = command.cache(config)
    for entry in entries:
        card, size = entry.store.card, entry.store.num_bytes / 2**20
        what = f"{card.backbone} to {card.boundary} {card.pooling}".strip() if card else "damaged"
        shape = f"{card.image_size[0]} x {card.image_size[1]}, {card.precision}" if card else ""
        click.echo(f"{size:10,.1f} MiB  {entry.num_features:9,} features  {what}, {shape}")
    total = sum(entry.store.num_bytes for entry in entries) / 2**20
    click.echo(f"{total:10,.1f} MiB in {cache_dir(config)}")


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

    if result.num_skipped:
        click.echo(f"{result.num_skipped:,} photos could not be read and were skipped")
    click.echo(f"validation {result.score}")
    click.echo(
        f"saved {result.model_path} (epoch {result.history.kept.number}) "
        f"after {format_duration(result.seconds)}"
    )
