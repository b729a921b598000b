"""`--devices` and what else makes several processes train together, and how they end."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click

from catsdogs import systems
from catsdogs.cli.error_line import error_line
from catsdogs.cli.options import NumberType
from catsdogs.cli.streams import open_stream, say
from catsdogs.errors import CatsdogsError, ConfigError, ProcessError
from catsdogs.files import scratch_file
from catsdogs.text import printable

if TYPE_CHECKING:
    from catsdogs.config import Command, Config
    from catsdogs.training.processes import ProcessGroup


def process_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of commands that several devices and processes can share."""
    options = [
        click.option(
            "--devices",
            metavar="all|N",
            help="How many devices of this machine to train on.  [default: 1]",
        ),
        click.option(
            "--coordinator",
            metavar="HOST:PORT",
            help="Train with other processes: the address where process 0 listens.",
        ),
        click.option(
            "--processes",
            metavar="N",
            type=NumberType(2),
            help="How many processes train together.",
        ),
        click.option(
            "--process-id",
            metavar="I",
            type=NumberType(0),
            help="The number of this process, from 0 to N - 1.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True)
class ProcessFlags:
    """The values of the options for several devices and processes."""

    devices: str | None
    coordinator: str | None
    processes: int | None
    process_id: int | None

    @classmethod
    def take(cls, flags: dict[str, Any]) -> "ProcessFlags":
        """Take the options out of a command's flags.

        Raises:
            ConfigError: the options contradict each other.
        """
        names = ("devices", "coordinator", "processes", "process_id")
        taken = cls(**{name: flags.pop(name) for name in names})
        given = [taken.coordinator, taken.processes, taken.process_id]
        if any(value is not None for value in given) and None in given:
            raise ConfigError(
                "--coordinator, --processes and --process-id belong together: give all three, or "
                "none where Slurm, Open MPI or Kubernetes start the processes"
            )
        if taken.processes and taken.process_id is not None and taken.process_id >= taken.processes:
            raise ConfigError(
                f"--process-id should be 0 to {taken.processes - 1}, got {taken.process_id}"
            )
        devices = taken.devices
        if devices not in (None, "all") and not (devices.isdecimal() and int(devices)):
            raise ConfigError(f"--devices should be all, or a number from 1, got {devices!r}")
        return taken

    @property
    def several(self) -> bool:
        """Whether this is one of several processes."""
        return self.coordinator is not None or _scheduler_starts_several()

    @contextmanager
    def joined(self, command: "Command", config: "Config") -> Iterator["ProcessGroup"]:
        """Import the backend, if it is sure to be needed, and join the others; gives all of them.

        Of several processes, each is watched by a parent of its own: JAX' runtime aborts the
        process where another one is gone, and nothing within it could say so in a line.
        """
        from catsdogs.network.backend import import_backend

        if not self.several:
            from catsdogs.training.new_classifier import may_need_no_backend
            from catsdogs.training.processes import ALONE, join_processes

            if command == "train" and self.devices in (None, "1") and may_need_no_backend(config):
                yield ALONE
                return
            import_backend()
            yield join_processes(self.devices)
            return
        way_on = _WayOn(command, config, time.time())
        _watch_a_child(way_on)
        try:
            import_backend()
            from catsdogs.training.agreement import DisagreementError
            from catsdogs.training.processes import ending_together, join_processes

            processes = join_processes(
                self.devices, self.coordinator, self.processes, self.process_id, several=True
            )
            try:
                with ending_together(processes):
                    yield processes
            except ProcessError as error:
                raise ProcessError(f"{error}: {way_on}") from None
            except DisagreementError as error:
                say(error_line(error, click.get_current_context()))
                with suppress(ProcessError), ending_together(processes):
                    processes.exchange("")  # whoever left now would take the others' last word
                _leave(error.exit_code)
        except CatsdogsError as error:
            say(error_line(error, click.get_current_context()))
            _leave(error.exit_code)
        except KeyboardInterrupt:
            say(f"stopped: {way_on}")
            _leave(130)


def _scheduler_starts_several() -> bool:
    """Whether JAX finds out by itself that this is one of several processes."""
    if os.environ.get("KERAS_BACKEND") != "jax":
        return False
    counts = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")
    several = any(int(os.environ.get(name) or 1) > 1 for name in counts)
    return several or {"KUBERNETES_SERVICE_HOST", "JOB_COMPLETION_INDEX"} <= set(os.environ)


@dataclass(frozen=True)
class _WayOn:
    """What is left where a process ends, and how to go on where there is something to go on with.

    Attributes:
        command: what it ran.
        config: likewise.
        began: when, in seconds since 1970.
    """

    command: "Command"
    config: "Config"
    began: float

    def __str__(self) -> str:
        from catsdogs.training.resuming import left_to_resume, resume_command

        whole = "the model that was saved before is whole"
        if not left_to_resume(self.command, Path(self.config.run.dir), self.began):
            return whole
        going_on = resume_command(self.command, self.config)
        return f"{whole}, and `{going_on}` on every process carries on"


def _leave(code: int) -> NoReturn:
    """End at once: an orderly exit would wait for the other processes to end as well."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _leave_with_traceback(*exception: Any) -> NoReturn:
    """A bug's way out of one of several processes."""
    sys.__excepthook__(*exception)
    _leave(1)


def _watch_a_child(way_on: _WayOn) -> None:
    """Go on in a child process; the parent waits for its end, says why it was, and ends too.

    Where a process cannot be copied, this one goes on by itself.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    noise = scratch_file()  # both processes hold it to their end
    child = systems.fork()
    if child is None:
        noise.close()
        return
    if child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells the child as well
        signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            say(f"error: {_why_it_died(-code, noise)}: {way_on}")
            code = 1
        _leave(code)
    systems.end_with_parent()
    # Python's lines go where they always go, those of the native libraries into a file
    sys.stdout = open_stream(os.dup(1), for_answers=True)
    sys.stderr = open_stream(os.dup(2), for_answers=False)
    for descriptor in (1, 2):
        os.dup2(noise.fileno(), descriptor)
    sys.excepthook = _leave_with_traceback


def _why_it_died(number: int, noise: IO[bytes]) -> str:
    noise.seek(0)
    said = noise.read().decode(errors="replace")
    if "distributed service" in said:
        return "another process ended or cannot be reached, and this one with it"
    lines = [line for line in said.splitlines() if line.strip()]
    # of a kill from outside, the libraries know nothing, and their last line is about other things
    reason = f" ({printable(lines[-1])[:200]})" if lines and number != systems.KILL else ""
    return f"this process was ended by signal {number}{reason}"
