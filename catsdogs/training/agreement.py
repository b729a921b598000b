"""Making sure that processes that train together are asked for the same thing."""

from typing import Any

from catsdogs.config import Command, Config, flatten, free_keys
from catsdogs.errors import ConfigError
from catsdogs.training.checkpoint import RunFacts
from catsdogs.training.processes import ProcessGroup


class DisagreementError(ConfigError):
    """Processes that were to train together were asked for different things; raised in all."""


def check_settings(
    processes: ProcessGroup, command: Command, config: Config, begun: RunFacts | None
) -> None:
    """Compare all that processes must be given alike, before anything is read or computed.

    Args:
        processes: all of them call this.
        command: which one this is.
        config: of this process.
        begun: what the run began with that this one goes on with; None for a new one.

    Raises:
        DisagreementError: a process was given something else; names the first such key.
    """
    free = free_keys("processes")
    settings = {key: value for key, value in flatten(config).items() if key not in free}
    resumed = f"the run {begun.run_id} of {begun.started}" if begun else "a new run"
    _compare(processes, {"the command": command, "what is trained": resumed} | settings)


def check_found(processes: ProcessGroup, facts: RunFacts) -> None:
    """Compare what the processes found: photos and their order, precision, weights.

    Raises:
        DisagreementError: a process found something else.
    """
    found = {
        "the fingerprint of the photos": facts.photos,
        "the precision": facts.precision,
        "the fingerprint of the weights": facts.start_weights,
    }
    _compare(processes, found)


def _compare(processes: ProcessGroup, values: dict[str, Any]) -> None:
    first, *others = processes.exchange(values)
    for index, other in enumerate(others, 1):
        for name in [*first, *(name for name in other if name not in first)]:
            if other.get(name) != first.get(name):
                raise DisagreementError(
                    f"{name} is {other.get(name)!r} in process {index} and {first.get(name)!r} in "
                    "process 0: give all processes the same files and the same settings"
                )
