"""The processor that computes, as the Keras backend in use sees it."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from catsdogs import systems
from catsdogs.errors import OutOfMemoryError
from catsdogs.network.backend import backend_name, import_backend
from catsdogs.systems import cpuinfo


def gpu_names() -> list[str]:
    """Every GPU that the backend computes on, as its driver names it; empty without one.

    The backend, which takes seconds to import, is asked only where it may find one.
    """
    if "keras" not in sys.modules:
        if not may_have_gpu():
            return []
        import_backend()
    match backend_name():
        case "tensorflow":
            import tensorflow as tf

            details = tf.config.experimental.get_device_details
            return [
                details(gpu).get("device_name", gpu.name)
                for gpu in tf.config.list_physical_devices("GPU")
            ]
        case "jax":
            import jax

            return [
                device.device_kind for device in jax.local_devices() if device.platform == "gpu"
            ]
        case _:
            import torch

            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
            return [torch.cuda.get_device_name(index) for index in range(count)]


def may_have_gpu() -> bool:
    """Whether the system has a device that can be a GPU, and it is not hidden."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return False
    return systems.may_have_gpu()


def gpu_compute_capability() -> tuple[int, int] | None:
    """Compute capability of the first GPU; None without one."""
    if not gpu_names():
        return None
    match backend_name():
        case "tensorflow":
            import tensorflow as tf

            gpu = tf.config.list_physical_devices("GPU")[0]
            details = tf.config.experimental.get_device_details(gpu)
            return details.get("compute_capability", (0, 0))
        case "jax":
            import jax

            major, _, minor = jax.local_devices(backend="gpu")[0].compute_capability.partition(".")
            return int(major), int(minor)
        case _:
            import torch

            return torch.cuda.get_device_capability()


def device_name() -> str:
    """The processor that computes, for people."""
    if gpus := gpu_names():
        return ", ".join(gpus)
    for line in cpuinfo().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cpu_vendor() -> str:
    """The maker as Linux has it from the processor, e.g. `GenuineIntel`; empty elsewhere."""
    for line in cpuinfo().splitlines():
        if line.startswith("vendor_id"):
            return line.partition(":")[2].strip()
    return ""


def cpu_flags() -> set[str]:
    """What the processor can do, as Linux calls it; empty on other systems."""
    for line in cpuinfo().splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def device_memory() -> int | None:
    """Bytes that the first GPU has for the backend, or the machine's memory; None if unknown."""
    if not gpu_names():
        return systems.memory_bytes()
    match backend_name():
        case "tensorflow":
            return _memory_by_driver()
        case "jax":
            import jax

            return (jax.local_devices(backend="gpu")[0].memory_stats() or {}).get("bytes_limit")
        case _:
            import torch

            return torch.cuda.get_device_properties(0).total_memory


def _memory_by_driver() -> int | None:
    """Bytes of the smallest GPU, by NVIDIA's tool: TensorFlow tells only what it has in use."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        return min(int(line) for line in listed.stdout.splitlines()) * 2**20
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


@contextmanager
def answering_out_of_memory(way_out: str) -> Iterator[None]:
    """Turn the backend's own error into one line.

    Args:
        way_out: what was too much, and what to do: the end of the line.

    Raises:
        OutOfMemoryError: the device's memory does not hold what the block needs.
    """
    try:
        yield
    except _memory_errors() as error:
        if not _is_out_of_memory(error):
            raise
        raise OutOfMemoryError(f"{device_name()} has too little memory {way_out}") from None


def _memory_errors() -> tuple[type[Exception], ...]:
    match backend_name():
        case "tensorflow":
            import tensorflow as tf

            return MemoryError, tf.errors.ResourceExhaustedError
        case "jax":
            import jax

            return MemoryError, jax.errors.JaxRuntimeError
        case _:
            import torch

            return MemoryError, torch.OutOfMemoryError


def _is_out_of_memory(error: Exception) -> bool:
    """Whether it is about memory: JAX has one class for all that goes wrong on a device."""
    return (
        backend_name() != "jax"
        or isinstance(error, MemoryError)
        or ("RESOURCE_EXHAUSTED" in str(error))
    )
