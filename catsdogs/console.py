"""Progress on stderr: a live bar on a terminal, plain lines anywhere else."""

import io
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TextIO

import rich.console
import rich.progress
from rich.cells import cell_len
from rich.progress import BarColumn, Progress, ProgressColumn
from rich.table import Column
from rich.text import Text

from catsdogs.text import printable, wrapped

_PLAIN_INTERVAL_SECONDS = 10.0
"""Between two lines about the same task where there is no terminal."""


LineListener = Callable[[str], object]
"""Is told what would be shown, a line at a time."""


class Task(Protocol):
    """A piece of long work."""

    def advance(self, count: int, **figures: float) -> None:
        """Say that `count` more photos are done, and what the figures are by now."""


class _Lines(io.TextIOBase):
    """Hands what is written on, line by line."""

    def __init__(self, tell: LineListener) -> None:
        self._tell = tell
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._tell(line)
        return len(text)


class Console:
    """Shows the progress, notes and warnings of commands."""

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or sys.stderr
        self._rich = rich.console.Console(
            file=stream,
            # by the stream alone: with FORCE_COLOR, which notebooks and many CI systems set, Rich
            # would move bars about in logs
            force_terminal=stream.isatty(),
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
            force_jupyter=False,  # it would show everything itself, whatever `file` is
        )
        self._log_path: Path | None = None
        self._said: list[str] = []

    @classmethod
    def shown(cls, leads: bool) -> "Console":
        """Where the progress of several processes is shown: by the leading one for all."""
        return cls() if leads else cls(io.StringIO())

    @classmethod
    def telling(cls, listener: LineListener | None) -> "Console":
        """What hands its lines to a listener, or to nobody."""
        return cls(io.StringIO() if listener is None else _Lines(listener))  # type: ignore[arg-type]

    @property
    def _has_bars(self) -> bool:
        """Whether lines can be changed, and how wide they are is known."""
        return self._rich.is_terminal and not self._rich.is_dumb_terminal

    def log_to(self, path: Path) -> None:
        """From now on, write all that is said into a file as well, with what was said before.

        Where the file cannot be written any more, the run goes on without it.
        """
        self._log_path = path
        self._append_to_log("".join(f"{line}\n" for line in self._said))

    def note(self, text: str) -> None:
        """Say something worth knowing, on a line of its own."""
        self._say(text, None)

    def warn(self, text: str) -> None:
        """Say something that the user may want to act on."""
        self._say(f"warning: {text}", "yellow")

    def _say(self, text: str, style: str | None) -> None:
        line = printable(text)
        shown = wrapped(line, self._rich.width) if self._has_bars else line
        self._rich.print(shown, style=style)
        if self._log_path is None:
            self._said.append(line)
        else:
            self._append_to_log(f"{line}\n")

    def _append_to_log(self, text: str) -> None:
        if self._log_path is not None:
            with suppress(OSError), self._log_path.open("a", encoding="utf-8") as file:
                file.write(text)

    @contextmanager
    def task(
        self,
        title: str,
        total: int | None = None,
        batch_size: int | None = None,
        what: str = "photos",
    ) -> Iterator[Task]:
        """Show the progress of some long work; the bar goes when the work ends.

        Args:
            title: what is being done.
            total: number of photos; None where it is not known.
            batch_size: photos in a step, where steps shall be counted instead of photos.
            what: what is counted, where it is not photos.
        """
        meter = _Meter(total, batch_size, what)
        if not self._has_bars:
            yield _PlainTask(self, title, meter)
            return
        with _bar(title, meter, self._rich) as progress:
            yield _BarTask(progress, meter)


class _Meter:
    """Counts and times; its text is the same on the bar and on the plain line."""

    def __init__(self, total: int | None, batch_size: int | None, what: str) -> None:
        self.total = total
        self._what = what
        self._batch_size = batch_size
        self._start = time.monotonic()
        self.done = 0
        self._figures: dict[str, float] = {}

    def advance(self, count: int, figures: dict[str, float]) -> None:
        self.done += count
        self._figures = figures

    def text(self, width: int | None = None) -> str:
        """How far it is; where that is too wide, without the rate, then without figures."""
        seconds = time.monotonic() - self._start
        rate = self.done / seconds if seconds > 0 else 0.0
        speed = f"{rate:,.0f}/s"
        parts = [self._count(), speed]
        if self.total is not None and rate > 0:
            parts.append(f"{format_duration((self.total - self.done) / rate)} left")
        figures = [f"{name} {value:.4f}" for name, value in self._figures.items()]
        parts += figures
        for least in (speed, *reversed(figures)):
            if width is not None and len("  ".join(parts)) > width:
                parts.remove(least)
        return "  ".join(parts)

    def _count(self) -> str:
        if self.total is None:
            return f"{self.done:,} {self._what}"
        if self._batch_size is None:
            return f"{self.done:,}/{self.total:,} {self._what}"
        steps = math.ceil(self.done / self._batch_size)
        return f"step {steps:,}/{math.ceil(self.total / self._batch_size):,}"


class _MadeWhenShown(ProgressColumn):
    """A text, in one line."""

    def __init__(self, text: Callable[[], str]) -> None:
        super().__init__(Column(no_wrap=True))
        self._text = text

    def render(self, task: rich.progress.Task) -> Text:
        return Text(self._text())


def _bar(title: str, meter: _Meter, console: rich.console.Console) -> Progress:
    """A bar of ten columns, of fewer where the terminal is narrow; then the title yields."""
    width = cell_len(title)

    def room() -> int:
        return console.width - len(" ━ ")

    def text() -> str:
        return meter.text(room() - width) if meter.done else ""

    def shown_title() -> str:
        shown = Text(title)
        shown.truncate(max(1, room() - len(text())), overflow="ellipsis")
        return shown.plain

    columns = (_MadeWhenShown(shown_title), BarColumn(10), _MadeWhenShown(text))
    return Progress(*columns, console=console, transient=True)


class _BarTask:
    def __init__(self, progress: Progress, meter: _Meter) -> None:
        self._meter = meter
        self._progress = progress
        self._id = progress.add_task("", total=meter.total)

    def advance(self, count: int, **figures: float) -> None:
        self._meter.advance(count, figures)
        self._progress.update(self._id, completed=self._meter.done)


class _PlainTask:
    def __init__(self, console: Console, title: str, meter: _Meter) -> None:
        self._meter = meter
        self._console = console
        self._title = title
        self._last = time.monotonic()

    def advance(self, count: int, **figures: float) -> None:
        self._meter.advance(count, figures)
        now = time.monotonic()
        if now - self._last >= _PLAIN_INTERVAL_SECONDS:
            self._last = now
            self._console.note(f"{self._title}  {self._meter.text()}")


def format_duration(seconds: float) -> str:
    """Seconds as people say them: `8.3 s`, `1:05 min`, `2:10:00 h`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
