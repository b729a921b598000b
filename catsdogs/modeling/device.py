"""The processor that computes, as the Keras backend in use sees it."""

import platform
from pathlib import Path

import keras


def gpu_names() -> list[str]:
    """Every GPU that the backend computes on, as its driver names it; empty without one."""
    match keras.backend.backend():
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


def gpu_compute_capability() -> tuple[int, int] | None:
    """Compute capability of the first GPU; None without one."""
    if not gpu_names():
        return None
    match keras.backend.backend():
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


def cpuinfo() -> str:
    """What Linux says about the processor; empty on other systems."""
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.is_file() else ""
