"""A run's own record: history.csv and the checkpoint after each epoch, metrics.json at the end."""

from collections.abc import Callable
from dataclasses import asdict, replace

from catsdogs.config import Command, Config
from catsdogs.console import Console
from catsdogs.data.dataset import Dataset
from catsdogs.data.layout import VALIDATION
from catsdogs.errors import DataError
from catsdogs.model.metadata import package_versions
from catsdogs.network.device import device_name
from catsdogs.run import RunDir, utc_now
from catsdogs.run_metrics import RunMetrics
from catsdogs.training.checkpoint import Checkpoint, RunFacts, write_checkpoint
from catsdogs.training.history import History, Progress
from catsdogs.training.run_listener import RunListener


class RunRecorder(RunListener):
    """Keeps the figures of all epochs, what the next one depends on, and the result.

    Args:
        command: which one it is.
        config: of the run.
        console: is told where the record cannot be kept.
        dataset: the photos.
        facts: what the run began with.
        progress: how far it has come; brought up to date elsewhere.
        seconds: gives the wall time of all parts of the run so far.
    """

    def __init__(
        self,
        command: Command,
        config: Config,
        console: Console,
        dataset: Dataset,
        facts: RunFacts,
        progress: Progress,
        seconds: Callable[[], float],
    ) -> None:
        self._command: Command = command
        self._config = config
        self._console = console
        self._dataset = dataset
        self._facts = facts
        self._progress = progress
        self._seconds = seconds
        self.can_be_resumed = True
        """Whether the last checkpoint could be written."""

    def begin(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir
        self._keep(None)

    def epoch_ended(self, history: History) -> None:
        self._keep(history)

    def _keep(self, history: History | None) -> None:
        """Write history and checkpoint; the run goes on where they cannot be written."""
        facts = replace(
            self._facts,
            seconds=self._seconds(),
            unreadable=tuple((str(path), reason) for path, reason in self._dataset.unreadable),
        )
        try:
            if history is not None:
                self._run_dir.write_history(asdict(epoch) for epoch in history.epochs)
            write_checkpoint(self._run_dir.checkpoint_path, Checkpoint(facts, self._progress))
        except DataError as error:
            if self.can_be_resumed:
                self._console.warn(f"{error}. This training goes on, but cannot be resumed")
            self.can_be_resumed = False
        else:
            self.can_be_resumed = True

    def finish(self, history: History) -> None:
        dataset = self._dataset
        score = history.kept_score(dataset.count(VALIDATION))
        self._run_dir.write_metrics(
            RunMetrics(
                command=self._command,
                started=self._facts.started,
                finished=utc_now(),
                seconds=self._seconds(),
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
                num_frozen=history.num_frozen,
                frozen_seconds=history.frozen_seconds,
                device=device_name(),
                precision=self._facts.precision,
                versions=package_versions(),
                run_id=self._facts.run_id,
                start_run_id=self._facts.start_run_id,
            )
        )
