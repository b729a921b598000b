"""Ctrl-C and SIGTERM while a training runs: the first ends it gently, the second at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from catsdogs.cli.streams import say
from catsdogs.systems import STOP_SIGNALS
from catsdogs.text import printable

_LINE = b"stopping after this step; once more stops at once\n"


class StopSignal:
    """Asked for by the first signal; the second does what it would have done without this.

    In force within `with`, and in the main thread alone: others get no signals. A signal that
    is ignored, as with `nohup` or in the background of a script, stays ignored.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._stop)

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        self.__exit__()
        # not by Python's own stderr, in the middle of whose writing this may have come
        with suppress(OSError):  # a full log
            os.write(2, b"\n" + _LINE if os.isatty(2) else _LINE)

    def is_given(self) -> bool:
        """Whether the training shall end after the running step."""
        return self._signal is not None

    @property
    def exit_code(self) -> int:
        """What shells report for a process that the signal ended."""
        return 128 + (self._signal or signal.SIGINT)


@contextmanager
def ending_gently(several: bool) -> Iterator[StopSignal | None]:
    """Let the first Ctrl-C or SIGTERM end a training with what is best so far.

    One of `several` processes ends at once: the others would wait for its next step.
    """
    if several:
        yield None
        return
    from catsdogs.training.supervision import StopRequested

    stop = StopSignal()
    try:
        yield stop
    except StopRequested as stopped:
        say(printable(str(stopped)))
        _end_process(stop.exit_code)


def end_if_interrupted(interrupted: bool, stop: StopSignal | None) -> None:
    """End a training that a signal ended early with the exit status that tells so."""
    if stop and interrupted:
        _end_process(stop.exit_code)


def _end_process(exit_code: int) -> NoReturn:
    """End a stopped training, whose pass over the photos is still open.

    TensorFlow would complain of that while Python shuts down. Nothing is left to be tidied up.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
