"""The process around the command line: `catsdogs`, and `python -m catsdogs`.

Ctrl-C and SIGTERM end it at once with one line, whatever is being imported, decoded or
computed, except while a training runs (see `catsdogs/cli/stop_signal.py`). Nothing has to be tidied
up for that: all that is written is whole at any time.
"""

import os
import signal
from types import FrameType


def run() -> None:
    """Run the command line."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop_at_once)
    from catsdogs.cli import main

    main()


_STDERR = os.dup(2)
"""Not to be lost where descriptor 2 is turned away (see `catsdogs/network/backend.py`)."""


def _stop_at_once(number: int, frame: FrameType | None) -> None:
    show_cursor = b"\x1b[?25h" if os.isatty(_STDERR) else b""  # a progress bar hides it
    os.write(_STDERR, show_cursor + b"stopped: nothing that was saved before has changed\n")
    os._exit(128 + number)  # no clean-up: threads may be at work, and would have their say


if __name__ == "__main__":
    run()
