"""Runs as aligned text, or as JSON."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from catsdogs.console import format_duration
from catsdogs.run_metrics import RunMetrics
from catsdogs.text import printable


class Run(Protocol):
    """One run, finished or not."""

    @property
    def path(self) -> Path: ...
    @property
    def metrics(self) -> RunMetrics | None: ...
    @property
    def status(self) -> str: ...
    @property
    def last_epoch(self) -> int | None: ...
    @property
    def planned_epochs(self) -> int | None: ...
    @property
    def command(self) -> str: ...
    @property
    def model_path(self) -> Path | None: ...
    @property
    def is_replaced(self) -> bool: ...


_HEADER = ("run", "photos", "accuracy, 95%", "time", "model")


def format_table(runs: Iterable[Run]) -> list[str]:
    """A header and a line a run; 80 columns where nothing is longer than usual."""
    rows = [_HEADER, *(_row(run) for run in runs)]
    widths = [max(len(row[column]) for row in rows if len(row) == 5) for column in range(4)]
    widths[0] = max(len(row[0]) for row in rows)
    lines = []
    for name, photos, accuracy, *rest in rows:
        line = f"{name:{widths[0]}} {photos:>{widths[1]}}  {accuracy:{widths[2]}}"
        if rest:
            line += f"  {rest[0]:>{widths[3]}}  {rest[1]}"
        lines.append(line.rstrip())
    return lines


def _row(run: Run) -> tuple[str, ...]:
    name = printable(run.path.name)
    if (metrics := run.metrics) is None:
        return name, "", _describe_rest(run)
    figures = f"{metrics.accuracy:.3f} {metrics.interval_low:.3f}-{metrics.interval_high:.3f}"
    return (
        name,
        f"{metrics.num_photos.get('train', 0):,}",
        figures,
        format_duration(metrics.seconds),
        _describe_model(run, metrics.model),
    )


def _describe_model(run: Run, written: str) -> str:
    """Its model's file, or what became of it; set aside by `finetune`, the name without folder."""
    if run.model_path is None:
        return "replaced" if run.is_replaced else "gone"
    if run.model_path.name != Path(written).name:
        return printable(run.model_path.name)
    return printable(written)


def _describe_rest(run: Run) -> str:
    if run.status == "damaged":
        return "metrics.json cannot be read"
    if run.last_epoch is None:
        return "unfinished, no epoch ended"
    planned = f" of {run.planned_epochs}" if run.planned_epochs else ""
    return f"unfinished, epoch {run.last_epoch}{planned}"


def format_json(runs: Iterable[Run]) -> str:
    """An array with `run`, `status`, `command` and epochs, and what metrics.json holds."""
    return json.dumps([_record(run) for run in runs], indent=1)


def _record(run: Run) -> dict[str, Any]:
    figures = run.metrics.model_dump(mode="json") if run.metrics else {}
    return {
        "run": str(run.path),
        "status": run.status,
        "command": run.command,
        "num_epochs": run.last_epoch,
        "planned_epochs": run.planned_epochs,
        **figures,
        **({"model_path": run.model_path and str(run.model_path)} if run.metrics else {}),
    }
