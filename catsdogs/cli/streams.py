"""The three standard streams, which may be closed or full: the work is done all the same.

What cannot be printed is lost, no more. Of standard error that is all; of standard output,
the answer, one line on standard error tells it and the exit status is 1. A reader that has
seen enough, as in `catsdogs predict DIR | head`, ends the command as ever.
"""

import io
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

import click

from catsdogs.errors import CatsdogsError
from catsdogs.systems import is_windows_console
from catsdogs.text import wrapped


class _Stream(io.FileIO):
    """A descriptor that takes everything, and remembers why something is lost."""

    def __init__(self, descriptor: int, for_answers: bool, is_open: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._for_answers = for_answers
        self._is_open = is_open
        self.loss = ""

    def write(self, data: Any, /) -> int:
        if not self._is_open:
            self.loss = "it is closed"
            return len(data)
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            if self._for_answers:
                raise
        except OSError as error:
            self.loss = (error.strerror or str(error)).lower()
        return len(data)


def open_stream(descriptor: int, for_answers: bool, is_open: bool = True) -> TextIO:
    """A text stream on a descriptor; names in any encoding can be written to it.

    Args:
        descriptor: of the process.
        for_answers: whether this takes the place of standard output, not of standard error.
        is_open: False where the descriptor was closed and leads nowhere.
    """
    raw = _Stream(descriptor, for_answers, is_open)
    encoding = getattr(sys.__stdout__ or sys.__stderr__, "encoding", None) or "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=raw.isatty() or not for_answers,
    )


def say(line: str) -> None:
    """Write a message to standard error, broken between words where that is a terminal."""
    click.echo(_fitted(line, sys.stderr, 2), err=True)


def answer(line: str, indent: int = 2) -> None:
    """Write a line to standard output for people, broken between words where that is a terminal.

    Args:
        line: with whatever columns it has.
        indent: columns before what follows the first break.
    """
    click.echo(_fitted(line, sys.stdout, indent))


def _fitted(line: str, stream: TextIO, indent: int) -> str:
    if not stream.isatty():
        return line
    columns = os.get_terminal_size(stream.fileno()).columns
    return wrapped(line, columns or 80, indent)  # some terminals do not know


def loss_of_answer() -> str:
    """Why something that was written to standard output is lost; empty where nothing is."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.loss if isinstance(raw, _Stream) else ""


def run_with_any_streams(command: Callable[[], None]) -> NoReturn:
    """Run a command line, and end with its exit status, or with 1 where its answer is lost."""
    if sys.stdin is None:  # closed; the descriptor leads nowhere by now
        sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115 - a descriptor, for good
    if not is_windows_console(sys.stdout):
        sys.stdout = open_stream(1, True, sys.stdout is not None)
    if not is_windows_console(sys.stderr):
        sys.stderr = open_stream(2, False, sys.stderr is not None)
    status: int | str | None = 0
    try:
        command()
    except SystemExit as end:
        status = end.code
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open_stream(1, True, is_open=False)  # nothing to complain of at the end
        sys.exit(CatsdogsError.exit_code)
    if loss := loss_of_answer():
        sys.stderr.write(
            f"error: standard output cannot be written ({loss}): the answer is lost, all else "
            "is done\n"
        )
        status = status or CatsdogsError.exit_code
    sys.exit(status)
