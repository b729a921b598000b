"""A training as a run: what it begins with or goes on from, and who is told how it goes."""

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from catsdogs.config import Command, Config
from catsdogs.console import Console
from catsdogs.data.dataset import Dataset
from catsdogs.data.layout import VALIDATION
from catsdogs.data.skipping import describe_skipped, drop_unreadable
from catsdogs.errors import CatsdogsError, DataError, DivergedError
from catsdogs.evaluation.score import Score, no_better_than_one_answer
from catsdogs.files import remove_abandoned_parts
from catsdogs.network.backend import backend_name
from catsdogs.network.precision import Precision, choose_precision
from catsdogs.run import RunDir, create_run_dir, utc_now
from catsdogs.training.agreement import check_found, check_settings
from catsdogs.training.checkpoint import RunFacts, read_checkpoint
from catsdogs.training.history import History, Progress
from catsdogs.training.model_state import StateError
from catsdogs.training.processes import ALONE, ProcessGroup
from catsdogs.training.resuming import check_same, resume_command
from catsdogs.training.run_listener import RunListener
from catsdogs.training.run_recorder import RunRecorder
from catsdogs.training.supervision import StopRequested, Supervision


class StopSignal(Protocol):
    """Asks a training to end gently; in force as long as it is entered."""

    def __enter__(self) -> object: ...

    def __exit__(self, *exception: object) -> None: ...

    def is_given(self) -> bool:
        """Whether the training shall end after the running step."""


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        # its history has a line for each epoch
        return f"<catsdogs training: {self.score}, saved as {self.model_path}>"


@dataclass(frozen=True)
class StartModel:
    """The model that a training starts from. Attributes: its file; the run that wrote it."""

    path: Path
    run_id: str


@dataclass(frozen=True)
class WeightHashes:
    """What a classifier's weights are before the first epoch, as hashes (hex).

    Attributes:
        frozen: of the layers that are not trained.
        start: of all.
    """

    frozen: str
    start: str


class TrainingRun:
    """One run of a training command, from its start to its end.

    Args:
        command: which one it is.
        config: where the run directory is made, and what is kept in it.
        console: is logged into it.
        stop_signal: who may end it; None: nobody.
        resumed: the run that it goes on with; None: it is a new one.
        processes: those that train together.
        listeners: are told how it goes, after its own record is kept.

    Attributes:
        begun: what the resumed run began with; None for a new one.
        facts: what this one begins with, once it has.

    Raises:
        DataError: the run's checkpoint is damaged.
        DisagreementError: the processes were given different settings.
    """

    def __init__(
        self,
        command: Command,
        config: Config,
        console: Console,
        stop_signal: StopSignal | None = None,
        resumed: RunDir | None = None,
        processes: ProcessGroup = ALONE,
        listeners: Sequence[RunListener] = (),
    ) -> None:
        self._start = time.perf_counter()
        self._started = utc_now()
        self._command: Command = command
        self._config = config
        self._console = console
        self._stop_signal = stop_signal
        self._processes = processes
        self._resumed = resumed
        self._listeners = list(listeners)
        self._progress = Progress()
        self.begun: RunFacts | None = None
        if resumed is not None:
            checkpoint = read_checkpoint(resumed.checkpoint_path)
            self.begun, self._progress = checkpoint.facts, checkpoint.progress
        check_settings(processes, command, config, self.begun)

    def resolve(self, config: Config) -> None:
        """Take the configuration in which the photos have decided what was left to them.

        Before `begin`.
        """
        self._config = config

    def choose_precision(self) -> Precision:
        """What the configuration asks for, or what the resumed run began in."""
        return choose_precision(self.begun.precision if self.begun else self._config.precision)

    @contextmanager
    def begin(
        self,
        dataset: Dataset,
        hashes: WeightHashes,
        precision: Precision,
        start: StartModel | None = None,
    ) -> Iterator[Supervision]:
        """Make the run directory, or take the resumed run's: nothing is wrong with the request.

        Within it the stop signal is in force.

        Args:
            dataset: the photos.
            hashes: of the classifier before the first epoch.
            precision: what it computes in.
            start: where it was read from; None where it is new.

        Raises:
            DataError: the run directory cannot be written, or photos or model are not those
                that the resumed run began with.
            StopRequested: it was asked to stop before the first epoch had ended; says how to
                go on.
        """
        self._dataset = dataset
        self.facts = facts = RunFacts(
            started=self.begun.started if self.begun else self._started,
            seconds=self.begun.seconds if self.begun else 0.0,
            backend=backend_name(),
            precision=precision.name,
            model=str(start.path) if start else "",
            photos=dataset.order_fingerprint(),
            frozen_weights=hashes.frozen,
            start_weights=hashes.start,
            run_id=(self.begun and self.begun.run_id) or uuid.uuid4().hex,
            start_run_id=start.run_id if start else "",
        )
        check_found(self._processes, facts)
        if self._resumed is not None and self.begun is not None:
            self.run_dir = self._resumed
            check_same(self.run_dir, self.begun, facts, bool(self._progress.epochs))
            _drop_again(dataset, self.begun.unreadable)
        if not self._processes.is_leader:  # which keeps the record for all
            self.run_dir = RunDir(Path(self._processes.exchange("")[0]))
            yield Supervision(self._progress)
            return
        if self._resumed is not None:
            remove_abandoned_parts(self.run_dir.path)
        else:
            self.run_dir = create_run_dir(Path(self._config.run.dir), self._command)
            self.run_dir.write_config(self._config)
        self._processes.exchange(str(self.run_dir.path))
        with self.run_dir.claimed(), self._stop_signal or nullcontext(), self._listening(facts):
            yield Supervision(
                self._progress,
                self._epoch_ended,
                self._stop_signal.is_given if self._stop_signal else lambda: False,
            )

    @contextmanager
    def _listening(self, facts: RunFacts) -> Iterator[None]:
        """Keep the record and tell the listeners; where it ends early, say how to go on."""
        self._recorder = RunRecorder(
            self._command,
            self._config,
            self._console,
            self._dataset,
            facts,
            self._progress,
            self._seconds,
        )
        self._listeners.insert(0, self._recorder)
        self._console.log_to(self.run_dir.log_path)
        if self._resumed is not None:
            self._console.note(f"going on with {self.run_dir.path} {self._reached}")
        try:
            for listener in self._listeners:
                listener.begin(self.run_dir)
            yield
        except StopRequested:
            raise StopRequested(f"stopped before the first epoch had ended{self._way_on}") from None
        except StateError as error:  # of the checkpoint, which would not fit the next time either
            path = self.run_dir.checkpoint_path
            raise DataError(f"{path} cannot be gone on from ({error}): start anew") from None
        except CatsdogsError as error:
            if isinstance(error, DivergedError):  # it would do so again
                self.run_dir.remove_checkpoint()
            elif self._progress.epochs and self._way_on:
                error.sequel = f"`{self._resume_command}` carries on {self._reached}"
            raise
        finally:
            for listener in self._listeners:
                listener.close()
            self._list_skipped()

    def _epoch_ended(self, history: History) -> None:
        for listener in self._listeners:
            listener.epoch_ended(history)

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
    def _way_on(self) -> str:
        """How to go on, the end of a line; empty where there is nothing to go on from."""
        if not self._recorder.can_be_resumed:
            return ""
        return f": `{self._resume_command}` carries on"

    @property
    def _resume_command(self) -> str:
        return resume_command(self._command, self._config)

    def _seconds(self) -> float:
        """Wall time of all parts of the run so far."""
        return (self.begun.seconds if self.begun else 0.0) + time.perf_counter() - self._start

    def finish(self, history: History) -> TrainResult:
        """Tell that it is over, and put together what came out; the model is saved by now."""
        result = TrainResult(
            self.run_dir.path,
            Path(self._config.output),
            history.kept_score(self._dataset.count(VALIDATION)),
            history,
            len(self._dataset.unreadable),
            self._seconds(),
        )
        counts = self._dataset.class_counts(VALIDATION)
        if remark := no_better_than_one_answer(result.score.accuracy, counts):
            self._console.warn(remark)
        if self._processes.is_leader:
            try:
                if history.interrupted:
                    self._console.note(f"stopped {self._reached}{self._way_on}")
                else:
                    for listener in self._listeners:
                        listener.finish(history)
                    self.run_dir.remove_checkpoint()
            except DataError as error:
                self._console.warn(f"{error}. The model is saved, the record of its run is not")
        return result


def _drop_again(dataset: Dataset, unreadable: Iterable[tuple[str, str]]) -> None:
    """Leave out the photos that could not be used before the break."""
    reasons = dict(unreadable)
    samples = [sample for samples in dataset.splits.values() for sample in samples]
    drop_unreadable(
        dataset, [(s, reasons[str(s.path)]) for s in samples if str(s.path) in reasons], 1.0
    )
