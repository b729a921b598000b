"""What the convolutions compute in: as coarse as the hardware has it, float32 elsewhere."""

import platform
from dataclasses import dataclass
from pathlib import Path

import keras

from catsdogs.config import Config

_POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


@dataclass(frozen=True)
class Precision:
    """A choice of precision.

    Attributes:
        name: `float32`, `bfloat16` or `float16`.
        reason: why, in a few words, for people.
    """

    name: str
    reason: str

    @property
    def policy(self) -> keras.DTypePolicy:
        """Keras' policy for the convolutions; variables are float32 in all of them."""
        return keras.DTypePolicy(_POLICIES[self.name])


def choose_precision(setting: str = Config().precision) -> Precision:
    """Resolve `auto` against the hardware; any other setting is obeyed.

    bfloat16 where the processor multiplies it in hardware (AMX or AVX512-BF16 on a CPU,
    compute capability 8.0 up on a GPU), float16 on older GPUs, float32 elsewhere.
    """
    if setting != "auto":
        return Precision(setting, "as configured")
    capability = gpu_compute_capability()
    if capability is not None:
        described = f"GPU of compute capability {capability[0]}.{capability[1]}"
        return Precision("bfloat16" if capability >= (8, 0) else "float16", described)
    flags = _cpu_flags()
    if "amx_bf16" in flags:
        return Precision("bfloat16", "CPU with AMX")
    if "avx512_bf16" in flags:
        return Precision("bfloat16", "CPU with AVX512-BF16")
    return Precision("float32", "CPU without bfloat16 arithmetic")


def gpu_compute_capability() -> tuple[int, int] | None:
    """Compute capability of the first GPU that the Keras backend sees; None without one."""
    if not keras.distribution.list_devices("gpu"):
        return None
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        device = tf.config.list_physical_devices("GPU")[0]
        return tf.config.experimental.get_device_details(device).get("compute_capability", (0, 0))
    if keras.backend.backend() == "jax":
        import jax

        major, _, minor = jax.devices("gpu")[0].compute_capability.partition(".")
        return int(major), int(minor)
    import torch

    return torch.cuda.get_device_capability()


def device_name() -> str:
    """The processor that computes, for people."""
    gpus = keras.distribution.list_devices("gpu")
    if gpus:
        return ", ".join(gpus)
    for line in _cpuinfo().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cpu_flags() -> set[str]:
    for line in _cpuinfo().splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")  # Linux alone; other systems compute in float32
    return path.read_text() if path.is_file() else ""
