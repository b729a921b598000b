"""The steps that `train` and `finetune` have in common."""

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from catsdogs.config import Config
from catsdogs.data.dataset import TRAIN, VALIDATION, Dataset, load_dataset
from catsdogs.data.skipping import describe_skipped
from catsdogs.errors import DataError
from catsdogs.modeling.device import device_name
from catsdogs.modeling.model_file import (
    Metadata,
    ValidationRecord,
    WeightsRecord,
    package_versions,
)
from catsdogs.modeling.precision import Precision
from catsdogs.modeling.training import History
from catsdogs.reporting.console import Console
from catsdogs.reporting.curves import Stage, curves_png
from catsdogs.reporting.metrics import Score
from catsdogs.reporting.tensorboard import TensorBoardLog
from catsdogs.run import Command, RunMetrics, create_run_dir


@dataclass(frozen=True)
class TrainResult:
    """What a training gave.

    Attributes:
        run_path: the run directory.
        model_path: the saved classifier.
        score: on the validation photos, of the saved weights.
        history: all epochs.
        num_skipped: photos that could not be read.
        seconds: wall time of the command.
    """

    run_path: Path
    model_path: Path
    score: Score
    history: History
    num_skipped: int
    seconds: float


def read_photos(
    config: Config, console: Console, class_names: tuple[str, ...] | None = None
) -> Dataset:
    """Load the dataset with progress, and say what it holds."""
    with console.task("reading photos") as task:
        dataset = load_dataset(config.data, config.seed, class_names, task.advance)
    for note in dataset.notes:
        console.note(note)
    for warning in dataset.warnings:
        console.warn(warning)
    console.note(
        f"{dataset.count(TRAIN):,} photos to train on, {dataset.count(VALIDATION):,} for "
        f"validation, {len(dataset.class_names)} classes: {', '.join(dataset.class_names)}"
    )
    return dataset


class RunRecorder:
    """Keeps what a training does in its run directory, from its start to its end.

    Args:
        command: which one it is.
        config: where the run directory is made, and what is kept in it.
        console: is logged into it.

    Raises:
        ConfigError: `run.tensorboard` is on and its package is not installed.
    """

    def __init__(self, command: Command, config: Config, console: Console) -> None:
        self._start = time.perf_counter()
        self._started = _now()
        self._command = command
        self._config = config
        self._console = console
        self._tensorboard = TensorBoardLog() if config.run.tensorboard else None

    def begin(self, start_created: str = "") -> None:
        """Make the run directory: once nothing about the request is found to be wrong.

        Args:
            start_created: time of the model that fine-tuning starts from; empty for `train`.

        Raises:
            DataError: it cannot be written.
        """
        self._start_created = start_created
        self.run_dir = create_run_dir(Path(self._config.run.dir), self._command)
        self.run_dir.write_config(self._config)
        self._console.log_to(self.run_dir.log_path)
        if self._tensorboard:
            self._tensorboard.open(self.run_dir.tensorboard_path)

    def epoch_ended(self, history: History) -> None:
        """Keep the figures of all epochs so far."""
        self.run_dir.write_history(asdict(epoch) for epoch in history.epochs)
        if self._tensorboard:
            self._tensorboard.write(asdict(history.epochs[-1]))

    @contextmanager
    def listing_skipped(self, dataset: Dataset) -> Iterator[None]:
        """At the end of what is done within, list the photos that were skipped, however it ends."""
        try:
            yield
        finally:
            self.run_dir.write_skipped(dataset.unreadable)
            if dataset.unreadable:
                path = self.run_dir.skipped_path
                self._console.warn(describe_skipped(dataset.unreadable, path))

    def finish(self, dataset: Dataset, history: History, precision: Precision) -> TrainResult:
        """Keep what came out, and put it together for the caller."""
        seconds = time.perf_counter() - self._start
        score = kept_score(history, dataset)
        low, high = score.interval
        self.run_dir.write_metrics(
            RunMetrics(
                command=self._command,
                started=self._started,
                finished=_now(),
                seconds=seconds,
                model=self._config.output,
                data=self._config.data.dir,
                class_names=dataset.class_names,
                num_photos={split: dataset.count(split) for split in dataset.splits},
                num_class_photos={split: dataset.class_counts(split) for split in dataset.splits},
                num_skipped=len(dataset.unreadable),
                kept_epoch=history.kept.number,
                num_epochs=history.epochs[-1].number,
                loss=score.loss,
                accuracy=score.accuracy,
                interval_low=low,
                interval_high=high,
                num_frozen=history.num_frozen,
                frozen_seconds=history.frozen_seconds,
                device=device_name(),
                precision=precision.name,
                versions=package_versions(),
                start_created=self._start_created,
            )
        )
        self._draw_curves(history)
        if self._tensorboard:
            self._tensorboard.close()
        return TrainResult(
            self.run_dir.path,
            Path(self._config.output),
            score,
            history,
            len(dataset.unreadable),
            seconds,
        )

    def _draw_curves(self, history: History) -> None:
        """Keep the picture; where it cannot be kept, the run has succeeded all the same."""
        rows = [asdict(epoch) for epoch in history.epochs]
        try:
            self.run_dir.write_curves(
                curves_png(Stage(self.run_dir.path.name, rows, history.kept.number))
            )
        except DataError as error:
            self._console.warn(str(error))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def kept_score(history: History, dataset: Dataset) -> Score:
    """The kept epoch's figures on the validation photos."""
    kept = history.kept
    return Score(kept.validation_loss, kept.validation_accuracy, dataset.count(VALIDATION))


def describe(
    stage: Literal["train", "finetune"],
    config: Config,
    dataset: Dataset,
    history: History,
    weights: WeightsRecord,
) -> Metadata:
    """What the model file says about itself."""
    score = kept_score(history, dataset)
    low, high = score.interval
    return Metadata(
        class_names=dataset.class_names,
        image_size=config.model.image_size,
        stage=stage,
        kept_epoch=history.kept.number,
        config=config.model_dump(mode="json"),
        backbone=config.model.backbone,
        weights=weights,
        data_fingerprint=dataset.fingerprint(),
        num_photos={split: dataset.count(split) for split in dataset.splits},
        validation=ValidationRecord(
            loss=score.loss,
            accuracy=score.accuracy,
            num_photos=score.num_photos,
            interval_low=low,
            interval_high=high,
        ),
    )
