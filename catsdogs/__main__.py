"""The process around the command line: `catsdogs`, and `python -m catsdogs`.

Ctrl-C and SIGTERM end it at once with one line, whatever is being imported, decoded or
computed, except while a training runs (see `catsdogs/cli/stop_signal.py`). All that is written is
whole at any time; what is beside it in the making goes.
"""

import os

try:
    import signal
    import sys
    import warnings
    from contextlib import suppress
    from types import FrameType

    from catsdogs.systems import STOP_SIGNALS
except KeyboardInterrupt:  # before anything could be said or done
    os._exit(130)


def _open_closed_streams() -> None:
    """Let descriptors that are closed lead nowhere.

    The next file that is opened would take their numbers, and what is printed would be
    written into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def run() -> None:
    """Run the command line."""
    try:
        for number in STOP_SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _stop_at_once)
    except KeyboardInterrupt:
        os._exit(130)
    if any(option.startswith("error") for option in sys.warnoptions):
        # it would end commands in the middle of libraries, whose warnings these are
        warnings.resetwarnings()
        for for_developers in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", for_developers)  # as Python does by itself
    from catsdogs.cli import main
    from catsdogs.cli.streams import run_with_any_streams

    run_with_any_streams(main)


_open_closed_streams()
_STDERR = os.dup(2)
"""Not to be lost where descriptor 2 is turned away (see `catsdogs/network/backend.py`)."""


def _stop_at_once(number: int, frame: FrameType | None) -> None:
    show_cursor = b"\x1b[?25h" if os.isatty(_STDERR) else b""  # a progress bar hides it
    with suppress(OSError):
        os.write(_STDERR, show_cursor + b"stopped: nothing that was saved before has changed\n")
    files = sys.modules.get("catsdogs.files")  # perhaps half imported
    if remove_unfinished := getattr(files, "remove_unfinished", None):
        remove_unfinished()
    os._exit(128 + number)  # no other clean-up: threads may be at work, and would have their say


if __name__ == "__main__":
    run()
