"""What the convolutions compute in: as coarse as the hardware has it, float32 elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from catsdogs.config import Config
from catsdogs.network.backend import backend_name
from catsdogs.network.device import cpu_flags, cpu_vendor, gpu_compute_capability

if TYPE_CHECKING:
    import keras

_POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}

_FAST_ON_CPU = {
    "tensorflow": {"amx_bf16": "CPU with AMX", "avx512_bf16": "AMD CPU with AVX512-BF16"},
    "torch": {"amx_bf16": "CPU with AMX"},
    "jax": {},
}
"""What a processor must have for a backend to convolve faster in bfloat16, for people.

Photos per second of processor time, in bfloat16 over float32. With AVX512-BF16 on AMD's Zen 5:
TensorFlow 2.0 (112 px), PyTorch 0.97 (64 px), JAX 0.95 (112 px) and 1.06 (64 px); on an Intel
Xeon whose AMX is hidden: TensorFlow 0.6 (block 5, forward and backward, at 14 x 14). With AMX:
TensorFlow 6.5, PyTorch 4.1 (150 px).
"""


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
        import keras

        return keras.DTypePolicy(_POLICIES[self.name])


def choose_precision(setting: str = Config().precision) -> Precision:
    """Resolve `auto` against the hardware; any other setting is obeyed.

    bfloat16 where the backend is faster by it (a CPU with AMX, AMD's with AVX512-BF16, a GPU of
    compute capability 8.0 up), float16 on older GPUs, float32 elsewhere.
    """
    if setting != "auto":
        return Precision(setting, "as configured")
    capability = gpu_compute_capability()
    if capability is not None:
        described = f"GPU of compute capability {capability[0]}.{capability[1]}"
        return Precision("bfloat16" if capability >= (8, 0) else "float16", described)
    backend = backend_name()
    flags = cpu_flags()
    for flag, described in _FAST_ON_CPU[backend].items():
        if flag in flags and (flag != "avx512_bf16" or cpu_vendor() == "AuthenticAMD"):
            return Precision("bfloat16", described)
    if flags & set(_FAST_ON_CPU["tensorflow"]):
        return Precision("float32", f"CPU, where {backend} gains nothing by bfloat16")
    return Precision("float32", "CPU without bfloat16 arithmetic")


def as_float16(values: np.ndarray) -> np.ndarray:
    """Numbers as they are kept in two bytes; those beyond the range become its largest."""
    largest = np.finfo(np.float16).max
    return np.clip(values.astype(np.float32), -largest, largest).astype(np.float16)
