"""Which engine computes answers and frozen layers on this machine, and why."""

import platform
from dataclasses import dataclass

from catsdogs.errors import ConfigError
from catsdogs.network.backend import backend_name
from catsdogs.network.device import cpu_flags, gpu_names, may_have_gpu

FEW_PHOTOS = 32
"""So many are answered by ncnn while Keras and TensorFlow are still being imported."""


@dataclass(frozen=True)
class EngineChoice:
    """A choice of engine.

    Attributes:
        name: `keras` or `ncnn`.
        reason: why, in a few words, for people.
        warning: a line for those who lose time by it; empty: none.
    """

    name: str
    reason: str
    warning: str = ""


def choose_engine(
    setting: str = "auto", precision: str = "auto", num_photos: int | None = None
) -> EngineChoice:
    """Resolve `engine = "auto"` against the machine; any other setting is obeyed.

    Keras where it has a processor of its own or is told what to compute in; ncnn on other CPUs,
    where it is quicker in float32, and for a few photos anywhere. `docs/engines.md` has the
    measurements.

    Args:
        setting: `engine` of the configuration.
        precision: `precision` of the configuration.
        num_photos: how many will be asked for in all; None: many.

    Raises:
        ConfigError: ncnn is asked for in a precision that it does not have.
    """
    if setting == "keras":
        return EngineChoice("keras", "as configured")
    if setting == "ncnn" and precision not in ("auto", "float32"):
        raise ConfigError(
            f"engine ncnn computes in float32 alone, precision is {precision}: leave one of them "
            "out",
            key="engine",
        )
    chosen = EngineChoice("ncnn", "as configured") if setting == "ncnn" else None
    chosen = chosen or _choose(precision, num_photos)
    if chosen.name == "ncnn" and not _has_ncnn():
        reason = "ncnn cannot be imported"
        way_out = "so Keras computes, which takes longer: run `pip install ncnn`"
        return EngineChoice("keras", reason, f"{reason}, {way_out}")
    return chosen


def _choose(precision: str, num_photos: int | None) -> EngineChoice:
    if precision not in ("auto", "float32"):
        return EngineChoice("keras", f"precision is {precision}")
    if backend_name() != "tensorflow":
        return EngineChoice("keras", f"KERAS_BACKEND is {backend_name()}")
    if num_photos is not None and num_photos <= FEW_PHOTOS:
        return EngineChoice("ncnn", f"up to {FEW_PHOTOS} photos")
    if may_have_gpu() and gpu_names():
        return EngineChoice("keras", "GPU")
    if "amx_bf16" in cpu_flags() and precision == "auto":
        return EngineChoice("keras", "CPU with AMX")
    return EngineChoice("ncnn", f"{platform.machine()} CPU")


def _has_ncnn() -> bool:
    try:
        import ncnn  # noqa: F401
    except (ImportError, OSError):  # not there, or for another system
        return False
    return True
