"""What a training leaves in its run directory, and takes from there when it goes on."""

import datetime
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

import keras

from catsdogs.commands.training_steps import TrainResult, kept_score
from catsdogs.config import Config
from catsdogs.console import Console
from catsdogs.data.dataset import Dataset
from catsdogs.data.skipping import describe_skipped, drop_unreadable
from catsdogs.errors import CatsdogsError, DataError
from catsdogs.evaluation.score import Score
from catsdogs.files import remove_abandoned_parts
from catsdogs.network.classifier import split_at
from catsdogs.network.device import device_name
from catsdogs.network.metadata import package_versions
from catsdogs.network.precision import Precision, choose_precision
from catsdogs.reporting.curves import Stage, curves_png
from catsdogs.reporting.tensorboard import TensorBoardLog
from catsdogs.run import Command, RunDir, RunMetrics, create_run_dir
from catsdogs.training.checkpoint import Checkpoint, RunFacts, read_checkpoint, write_checkpoint
from catsdogs.training.features import hash_weights
from catsdogs.training.fitting import StopRequested, Supervision
from catsdogs.training.history import History, Progress
from catsdogs.training.processes import current_team
from catsdogs.training.resuming import check_same, resume_command


class Brake(Protocol):
    """Ends a training gently; in force as long as it is entered."""

    def __enter__(self) -> object: ...

    def __exit__(self, *exception: object) -> None: ...

    def is_pulled(self) -> bool:
        """Whether the training shall end after the running step."""


class RunRecorder:
    """Keeps what a training does in its run directory, from its start to its end.

    Args:
        command: which one it is.
        config: where the run directory is made, and what is kept in it.
        console: is logged into it.
        brake: who may end it; None: nobody.
        resumed: the run that it goes on with; None: it is a new one.

    Attributes:
        begun: what the resumed run began with; None for a new one.

    Raises:
        DataError: the run's checkpoint is damaged.
        ConfigError: `run.tensorboard` is on and its package is not installed.
    """

    def __init__(
        self,
        command: Command,
        config: Config,
        console: Console,
        brake: Brake | None = None,
        resumed: RunDir | None = None,
    ) -> None:
        self._start = time.perf_counter()
        self._started = _now()
        self._command: Command = command
        self._config = config
        self._console = console
        self._brake = brake
        self._resumed = resumed
        self._is_kept = True
        self._tensorboard = TensorBoardLog() if config.run.tensorboard else None
        self._progress = Progress()
        self.begun: RunFacts | None = None
        if resumed is not None:
            checkpoint = read_checkpoint(resumed.checkpoint_path)
            self.begun, self._progress = checkpoint.facts, checkpoint.progress

    def choose_precision(self) -> Precision:
        """What the configuration asks for, or what the resumed run began in."""
        return choose_precision(self.begun.precision if self.begun else self._config.precision)

    @contextmanager
    def begin(
        self,
        dataset: Dataset,
        model: keras.Model,
        boundary: str,
        precision: Precision,
        model_path: Path | None = None,
        model_created: str = "",
    ) -> Iterator[Supervision]:
        """Make the run directory, or take the resumed run's: nothing is wrong with the request.

        Within it the brake is in force.

        Args:
            dataset: the photos.
            model: the classifier before the first epoch.
            boundary: name of its last frozen layer.
            precision: what it computes in.
            model_path: where it was read from; None where it is new.
            model_created: what its file says about when it was made.

        Raises:
            DataError: the run directory cannot be written, or photos or model are not those
                that the resumed run began with.
            StopRequested: the brake was pulled before the first epoch had ended; says how to
                go on.
        """
        self._dataset = dataset
        self._facts = RunFacts(
            started=self.begun.started if self.begun else self._started,
            seconds=self.begun.seconds if self.begun else 0.0,
            backend=keras.backend.backend(),
            precision=precision.name,
            model=str(model_path or ""),
            model_created=self.begun.model_created if self.begun else model_created,
            photos=dataset.order_fingerprint(),
            frozen_weights=hash_weights(split_at(model, boundary)[0]),
            start_weights=hash_weights(model),
        )
        _check_same(self._facts)
        if self._resumed is not None and self.begun is not None:
            self.run_dir = self._resumed
            check_same(self.run_dir, self.begun, self._facts, bool(self._progress.epochs))
            _drop_again(dataset, self.begun.unreadable)
        if not current_team().is_leader:  # which keeps the record for all
            self.run_dir = RunDir(Path(current_team().exchange("")[0]))
            yield Supervision(self._progress)
            return
        if self._resumed is not None:
            remove_abandoned_parts(self.run_dir.path)
        else:
            self.run_dir = create_run_dir(Path(self._config.run.dir), self._command)
            self.run_dir.write_config(self._config)
        current_team().exchange(str(self.run_dir.path))
        with self.run_dir.claimed(), self._brake or nullcontext():
            self._console.log_to(self.run_dir.log_path)
            if self._resumed is not None:
                self._console.note(f"going on with {self.run_dir.path} {self._reached}")
            self._keep()
            try:
                if self._tensorboard:
                    self._tensorboard.open(self.run_dir.tensorboard_path)
                yield Supervision(
                    self._progress,
                    self._epoch_ended,
                    self._brake.is_pulled if self._brake else lambda: False,
                )
            except StopRequested:
                raise StopRequested(
                    f"stopped before the first epoch had ended: `{self._resume_command}` carries on"
                ) from None
            except CatsdogsError as error:
                if self._progress.epochs and self._is_kept:
                    error.args = (f"{error}. `{self._resume_command}` carries on {self._reached}",)
                raise
            finally:
                if self._tensorboard:
                    self._tensorboard.close()
                self._list_skipped()

    def _list_skipped(self) -> None:
        """Name the photos that could not be used, however the training ended."""
        skipped = self._dataset.unreadable
        if not skipped:
            return
        self._console.warn(describe_skipped(skipped, self.run_dir.skipped_path))
        try:
            self.run_dir.write_skipped(skipped)
        except DataError as error:
            self._console.warn(str(error))

    @property
    def _reached(self) -> str:
        epochs = self._progress.epochs
        return f"after epoch {epochs[-1].number}" if epochs else "from its start"

    @property
    def _resume_command(self) -> str:
        return resume_command(self._command, self._config)

    def _epoch_ended(self, history: History) -> None:
        """Keep the figures of all epochs so far, and what the next one depends on."""
        self._keep(history)
        if self._tensorboard:
            self._tensorboard.write(asdict(history.epochs[-1]))

    def _keep(self, history: History | None = None) -> None:
        """Write history and checkpoint; the run goes on where they cannot be written."""
        facts = replace(
            self._facts,
            seconds=self._seconds,
            unreadable=tuple((str(path), reason) for path, reason in self._dataset.unreadable),
        )
        try:
            if history is not None:
                self.run_dir.write_history(asdict(epoch) for epoch in history.epochs)
            write_checkpoint(self.run_dir.checkpoint_path, Checkpoint(facts, self._progress))
        except DataError as error:
            if self._is_kept:
                self._console.warn(f"{error}. This training goes on, but cannot be resumed")
            self._is_kept = False
        else:
            self._is_kept = True

    @property
    def _seconds(self) -> float:
        """Wall time of all parts of the run so far."""
        return (self.begun.seconds if self.begun else 0.0) + time.perf_counter() - self._start

    def finish(self, history: History) -> TrainResult:
        """Keep what came out, and put it together for the caller; the model is saved by now."""
        result = TrainResult(
            self.run_dir.path,
            Path(self._config.output),
            kept_score(history, self._dataset),
            history,
            len(self._dataset.unreadable),
            self._seconds,
        )
        if current_team().is_leader:
            self._keep_record(result)
        return result

    def _keep_record(self, result: TrainResult) -> None:
        """Write the figures of a training that has ended, or say how to go on with it."""
        history = result.history
        try:
            if history.interrupted:
                self._console.note(f"stopped {self._reached}: `{self._resume_command}` carries on")
            else:
                self._write_metrics(history, result.score, result.seconds)
                self._draw_curves(history)
                self.run_dir.remove_checkpoint()
        except DataError as error:
            self._console.warn(f"{error}. The model is saved, the record of its run is not")

    def _write_metrics(self, history: History, score: Score, seconds: float) -> None:
        dataset = self._dataset
        low, high = score.interval
        self.run_dir.write_metrics(
            RunMetrics(
                command=self._command,
                started=self._facts.started,
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
                precision=self._facts.precision,
                versions=package_versions(),
                start_created=self._facts.model_created,
            )
        )

    def _draw_curves(self, history: History) -> None:
        rows = [asdict(epoch) for epoch in history.epochs]
        stage = Stage(self.run_dir.path.name, rows, history.kept.number)
        self.run_dir.write_curves(curves_png(stage))


def _check_same(facts: RunFacts) -> None:
    """Make sure that all processes train the same network on the same photos in one order.

    Raises:
        DataError: one does not.
    """
    whats = ("photos", "precision", "weights")
    values = [facts.photos, facts.precision, facts.start_weights]
    found = current_team().exchange(values)
    for index, others in enumerate(found):
        for what, leaders, other in zip(whats, found[0], others, strict=True):
            if other != leaders:
                raise DataError(
                    f"process {index} has other {what} than process 0: start all of them with the "
                    "same files and the same options"
                )


def _drop_again(dataset: Dataset, unreadable: Iterable[tuple[str, str]]) -> None:
    """Leave out the photos that could not be used before the break."""
    reasons = dict(unreadable)
    samples = [sample for samples in dataset.splits.values() for sample in samples]
    drop_unreadable(
        dataset, [(s, reasons[str(s.path)]) for s in samples if str(s.path) in reasons], 1.0
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
