"""Processes and devices that train together, over JAX's distributed runtime."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from catsdogs.data.batches import WHOLE_BATCH, BatchPart
from catsdogs.errors import ConfigError, ProcessError
from catsdogs.network.backend import backend_name

if TYPE_CHECKING:  # a process that is alone may need no Keras
    from catsdogs.network.engines.keras_engine import Placement

HEARTBEAT_TIMEOUT_SECONDS = 30
"""A process that says nothing for so long is taken for dead, and ends the others."""

_START_TIMEOUT_SECONDS = 300
"""A process waits so long for the others to start."""


@dataclass(frozen=True)
class ProcessGroup:
    """Who trains together. Alone by default: one process, the backend's own device.

    Attributes:
        process_id: which process this is, from 0; 0 leads: it writes model and run directory.
        num_processes: how many there are.
        devices: names of all devices, in the order of the processes; empty when alone.
    """

    process_id: int = 0
    num_processes: int = 1
    devices: tuple[str, ...] = ()

    @property
    def is_leader(self) -> bool:
        """Whether this process writes what the training leaves behind."""
        return self.process_id == 0

    @property
    def batch_part(self) -> BatchPart:
        """The part of each batch that this process feeds to its devices."""
        if len(self.devices) < 2:
            return WHOLE_BATCH
        return BatchPart(self.process_id, self.num_processes, len(self.devices))

    @property
    def local_devices(self) -> tuple[str, ...]:
        """Names of this process's devices; empty when alone."""
        count = len(self.devices) // self.num_processes
        return self.devices[self.process_id * count : (self.process_id + 1) * count]

    def training_scope(self) -> AbstractContextManager[Any]:
        """Where variables are kept on every device, and batches are spread over all of them."""
        return _scope(self.devices)

    def forward_scope(self) -> AbstractContextManager[Any]:
        """Where variables are kept on every device of this process alone."""
        return _scope(self.local_devices)

    def placement(self) -> "Placement":
        """Spreads photos over this process's devices, for a model made in `forward_scope`."""
        from catsdogs.network.engines.keras_engine import Placement

        if len(self.local_devices) < 2:
            return Placement()
        import jax

        devices = [device for device in jax.local_devices() if _name(device) in self.local_devices]
        mesh = jax.sharding.Mesh(np.array(devices), ("photos",))
        rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("photos"))
        return Placement(len(devices), lambda images: jax.device_put(images, rows))

    def gather(self, array: np.ndarray) -> np.ndarray:
        """Arrays of one shape and type from all processes: `(processes, …)`."""
        if self.num_processes == 1:
            return array[None]
        from jax.experimental import multihost_utils

        return np.asarray(multihost_utils.process_allgather(array)).reshape(
            self.num_processes, *array.shape
        )

    def exchange(self, value: Any) -> list[Any]:
        """Give every process the JSON values of all, in their order."""
        text = json.dumps(value).encode()
        sizes = self.gather(np.array([len(text)], np.int32))[:, 0]
        padded = np.zeros(sizes.max(), np.uint8)
        padded[: len(text)] = np.frombuffer(text, np.uint8)
        rows = self.gather(padded)
        return [json.loads(row[:size].tobytes()) for row, size in zip(rows, sizes, strict=True)]


ALONE = ProcessGroup()


def _name(device: Any) -> str:
    return f"{device.platform}:{device.id}"


def _scope(devices: tuple[str, ...]) -> AbstractContextManager[Any]:
    if len(devices) < 2:
        return nullcontext()
    import keras

    return keras.distribution.DataParallel(devices=list(devices), auto_shard_dataset=False).scope()


def _bind_address(coordinator: str | None) -> str | None:
    """Where process 0 listens: processes of one machine need no other one to reach it."""
    on_this_machine = coordinator and coordinator.startswith(("127.", "localhost:", "[::1]:"))
    return coordinator if on_this_machine else None


def join_processes(
    devices: str | None,
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
    several: bool = False,
) -> ProcessGroup:
    """Become one of several processes, or use several devices, for the rest of this one.

    Args:
        devices: `all`, or how many of each process; None: one when alone, all in a group.
        coordinator: host and port of process 0; None where a scheduler tells.
        processes: how many there are.
        process_id: which one this is, from 0.
        several: this is one of several processes.

    Raises:
        ConfigError: the backend cannot do it, or there are fewer devices.
        ProcessError: the others cannot be reached.
    """
    backend = backend_name()
    if backend != "jax":
        if not several and devices in (None, "1"):
            return ALONE
        raise ConfigError(
            f"several devices or processes train together on JAX alone, and the backend is "
            f"{backend}: set KERAS_BACKEND=jax"
        )
    import jax

    if several:
        _reach_others(coordinator, processes, process_id)
    wanted = devices or ("all" if several else "1")
    least = min(
        sum(device.process_index == index for device in jax.devices())
        for index in range(jax.process_count())
    )
    count = least if wanted == "all" else int(wanted)
    if count > least:
        raise ConfigError(f"{count} devices are more than the {least} that JAX sees here")
    chosen = [
        _name(device)
        for index in range(jax.process_count())
        for device in [d for d in jax.devices() if d.process_index == index][:count]
    ]
    if len(chosen) == 1:
        return ALONE
    return ProcessGroup(jax.process_index(), jax.process_count(), tuple(chosen))


def _reach_others(coordinator: str | None, processes: int | None, process_id: int | None) -> None:
    """Wait for the other processes, as `join_processes` names them.

    Raises:
        ProcessError: they cannot be reached.
    """
    import jax

    try:
        jax.distributed.initialize(
            coordinator,
            processes,
            process_id,
            initialization_timeout=_START_TIMEOUT_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_TIMEOUT_SECONDS,
            coordinator_bind_address=_bind_address(coordinator),
        )
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        way_out = ""
        if not coordinator:
            way_out = (
                ": where JAX does not find them by itself, name the coordinator, the number of "
                "processes, and which one this is"
            )
        raise ProcessError(f"the other processes cannot be reached ({reason}){way_out}") from None


@contextmanager
def ending_together(processes: ProcessGroup) -> Iterator[None]:
    """Turn what the runtime raises where another process is gone into one line.

    Raises:
        ProcessError: another process ended.
    """
    if processes.num_processes == 1:
        yield
        return
    import jax

    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        if isinstance(error, ValueError) and "Gloo" not in str(error):
            raise
        # one layer of the runtime after the other puts the same words before the reason
        reason = " ".join(str(error).rpartition("Error dispatching computation: ")[2].split())
        raise ProcessError(
            f"another process ended, or cannot be reached ({reason[:120]})"
        ) from None
