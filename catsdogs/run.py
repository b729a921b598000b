"""The run directory: what one training leaves behind. Every file name in it is spelled here.

runs/20261125-101530-train/
├── config.toml    the resolved configuration; `--config` takes it
├── backbones.json what each network gave, where `model.backbone = "auto"` compared some
├── history.csv    an epoch a line, written as each one ends
├── log.txt        what the console said
├── curves.png     loss and accuracy over the epochs, drawn at the end where there are several
├── tensorboard/   event files, with `run.tensorboard`
├── skipped.csv    photos that could not be used, with the reason
├── checkpoint.npz what `--resume` goes on from; gone when the run has come to its end
├── metrics.json   a run without it did not come to its end
└── report.html    where `catsdogs report` writes it
"""

import csv
import datetime
import itertools
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, get_args

import tomli_w

from catsdogs import systems
from catsdogs.config import Command, Config
from catsdogs.errors import DataError
from catsdogs.evaluation.backbone_choice import BackboneTrial
from catsdogs.files import (
    exists,
    is_dir,
    not_writable,
    remove_abandoned_parts,
    replacing,
    write_csv,
)
from catsdogs.run_metrics import RunMetrics
from catsdogs.text import csv_text
from catsdogs.untrusted.boundary import foreign_bytes, open_regular
from catsdogs.untrusted.records import (
    MOST_RECORD_BYTES,
    figure,
    read_json,
    read_rows,
)

_HISTORY_COLUMNS = [
    "number",
    "learning_rate",
    "loss",
    "accuracy",
    "validation_loss",
    "validation_accuracy",
    "seconds",
]

MOST_EPOCHS = 1_000_000_000
"""As many as a configuration may ask for."""

_RUN_NAME = re.compile(r"[^-]*-[^-]*-(?P<command>train|finetune)(-(?P<number>[^-]*))?")


class RunDir:
    """The files of one run.

    Attributes:
        path: its folder, named after the time and the command.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_path = path / "config.toml"
        self.backbones_path = path / "backbones.json"
        self.history_path = path / "history.csv"
        self.log_path = path / "log.txt"
        self.skipped_path = path / "skipped.csv"
        self.checkpoint_path = path / "checkpoint.npz"
        self.metrics_path = path / "metrics.json"
        self.curves_path = path / "curves.png"
        self.tensorboard_path = path / "tensorboard"
        self.report_path = path / "report.html"

    @property
    def command(self) -> str:
        """`train` or `finetune`, from the folder's name."""
        return self.path.name.split("-")[2]

    @property
    def number(self) -> int:
        """Which one it was of those that began in one second, from 1, from the folder's name."""
        found = _RUN_NAME.fullmatch(self.path.name)
        number = (found and found["number"]) or ""
        return int(number) if re.fullmatch("[0-9]{1,9}", number) else 1

    def started(self) -> datetime.datetime:
        """When the run began, as it recorded that; by its folder's name where it did not."""
        for read in (self._recorded_start, self._checkpoint_start):
            with suppress(DataError), foreign_bytes(self.path):
                moment = datetime.datetime.fromisoformat(read())
                return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        name = self.path.name[: len("20260101-000000")]
        try:
            return datetime.datetime.strptime(name, "%Y%m%d-%H%M%S").astimezone()
        except (ValueError, OverflowError, OSError):  # no time of day, or at an end of the calendar
            return datetime.datetime.min.replace(tzinfo=datetime.UTC)

    def _recorded_start(self) -> str:
        return read_json(self.metrics_path)["started"]

    def _checkpoint_start(self) -> str:
        """When the run began, from the text beside the arrays in its checkpoint."""
        with (
            open_regular(self.checkpoint_path) as file,
            zipfile.ZipFile(file) as archive,
            archive.open("record.npy") as member,
        ):
            # a NumPy array of one text: a header of a line, then four bytes a character
            text = member.read(MOST_RECORD_BYTES).partition(b"\n")[2].decode("utf-32-le")
        return json.loads(text)["facts"]["started"]

    @contextmanager
    def claimed(self, exclusively: bool = True) -> Iterator[None]:
        """Keep other processes from going on with the run meanwhile; a kill ends it as well.

        Args:
            exclusively: False only makes sure that no process has claimed it, as several that
                will go on together do at the same time.

        Raises:
            DataError: another process has it, or it cannot be opened.
        """
        try:
            lock = systems.lock_folder(self.path, exclusively)
        except BlockingIOError:
            raise DataError(
                f"{self.path} is still running: wait for it, or stop it first"
            ) from None
        except OSError as error:
            raise not_writable(self.path, error, "run.dir") from None
        try:
            yield
        finally:
            os.close(lock)

    def write_config(self, config: Config) -> None:
        """Keep the whole configuration, defaults included."""
        with replacing(self.config_path, "run.dir") as part:
            part.write_text(tomli_w.dumps(config.model_dump(mode="json")), encoding="utf-8")

    def write_history(self, epochs: Iterable[Mapping[str, Any]]) -> None:
        """Write all epochs so far, a line each; the columns are the first one's keys."""
        rows = list(epochs)
        with (
            replacing(self.history_path, "run.dir") as part,
            part.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def read_history(self) -> list[dict[str, float | None]]:
        """All epochs, with None where there is no figure; empty before the first one's end.

        Raises:
            DataError: the file is damaged.
        """
        if not exists(self.history_path):
            return []
        with foreign_bytes(self.history_path):
            rows = read_rows(self.history_path, _HISTORY_COLUMNS)
            for row in rows:
                if not 0 <= int(row["number"]) <= MOST_EPOCHS or figure(row["seconds"]) is None:
                    raise ValueError(f"epoch {row['number'][:20]} is none that was trained")
            return [{key: figure(value) for key, value in row.items()} for row in rows]

    def write_skipped(self, skipped: Iterable[tuple[Path, str]]) -> None:
        """Name the photos that could not be used, with the reason; no file where there are none."""
        rows = list(skipped)
        if not rows:
            return
        cells = ((str(path), reason) for path, reason in rows)
        write_csv(
            self.skipped_path, "run.dir", [("path", "reason"), *cells], errors="backslashreplace"
        )

    def read_skipped(self) -> list[tuple[str, str]]:
        """The photos that could not be used, with the reason.

        Raises:
            DataError: the file is damaged.
        """
        if not exists(self.skipped_path):
            return []
        with foreign_bytes(self.skipped_path):
            rows = read_rows(self.skipped_path, ["path", "reason"], "surrogateescape")
            return [(csv_text(row["path"]), csv_text(row["reason"])) for row in rows]

    def write_metrics(self, metrics: RunMetrics) -> None:
        """Mark the run as finished, with its result."""
        with replacing(self.metrics_path, "run.dir") as part:
            part.write_text(json.dumps(metrics.model_dump(mode="json"), indent=1), encoding="utf-8")

    def write_backbones(self, trials: Sequence[BackboneTrial]) -> None:
        """Keep what each of the networks gave that were compared."""
        with replacing(self.backbones_path, "run.dir") as part:
            part.write_text(
                json.dumps([t.model_dump(mode="json") for t in trials], indent=1), "utf-8"
            )

    def read_backbones(self) -> tuple[BackboneTrial, ...]:
        """What each network gave; empty where none were compared.

        Raises:
            DataError: the file is damaged.
        """
        if not exists(self.backbones_path):
            return ()
        with foreign_bytes(self.backbones_path):
            found = read_json(self.backbones_path)
            return tuple(BackboneTrial.model_validate(trial) for trial in found)

    def write_curves(self, png: bytes) -> None:
        """Keep the picture of the epochs."""
        with replacing(self.curves_path, "run.dir") as part:
            part.write_bytes(png)

    def remove_checkpoint(self) -> None:
        """Give its space free: nothing is left to resume."""
        with suppress(OSError):
            self.checkpoint_path.unlink()

    def read_metrics(self) -> RunMetrics | None:
        """The result; None where the run did not come to its end.

        Raises:
            DataError: the file is damaged.
        """
        if not exists(self.metrics_path):
            return None
        with foreign_bytes(self.metrics_path):
            return RunMetrics.model_validate(read_json(self.metrics_path))


def create_run_dir(parent: Path, command: Command) -> RunDir:
    """Make a new folder `<time>-<command>` in local time.

    It has a number where another run of that second is there, of whatever command, so that they
    can be told apart and put in order.

    What killed processes left of no use in the other runs goes.

    Raises:
        DataError: it cannot be made.
    """
    second = f"{datetime.datetime.now():%Y%m%d-%H%M%S}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        numbers = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
        free = (
            parent / f"{second}-{command}{number}"
            for number in numbers
            if not any(exists(parent / f"{second}-{each}{number}") for each in get_args(Command))
        )
        path = next(path for path in free if _is_made(path))
    except OSError as error:
        raise not_writable(parent, error, "run.dir") from None
    for other in _run_dirs(parent):
        remove_abandoned_parts(other.path)
        if exists(other.metrics_path):
            other.remove_checkpoint()
    return RunDir(path)


def check_run_parent(parent: Path) -> None:
    """Find out before the photos are read whether a run directory can be made; leaves nothing.

    Raises:
        DataError: it cannot.
    """
    above = Path(os.path.abspath(parent)).parents  # noqa: PTH100 - links stay
    nearest = next((folder for folder in (parent, *above) if os.path.lexists(folder)), parent)
    try:
        # it is not made for this: taken away again, it would be missed by a run that begins at once
        nearest.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=nearest):
            pass
    except OSError as error:
        raise not_writable(parent, error, "run.dir") from None


def _is_made(folder: Path) -> bool:
    """Make a folder; False where there is something of its name, maybe since a moment ago."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def utc_now() -> str:
    """The time of day: UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def list_run_dirs(parent: Path) -> list[RunDir]:
    """All runs in a folder, the oldest first; empty where there is no such folder.

    A folder's name is local time, which other time zones and the end of summer time put out of
    order: the time that a run recorded decides, and its number among those of one second.
    """
    return sorted(_run_dirs(parent), key=lambda run: (run.started(), run.number, run.path.name))


def _run_dirs(parent: Path) -> list[RunDir]:
    if not is_dir(parent):
        return []
    return [
        RunDir(path) for path in parent.iterdir() if _RUN_NAME.fullmatch(path.name) and is_dir(path)
    ]
