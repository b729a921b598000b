"""`catsdogs info`: what a run would stand on, on this machine."""

import keras

from catsdogs.config import CacheConfig, ModelConfig
from catsdogs.data.threads import num_decode_threads
from catsdogs.network.backbones import get_backbone
from catsdogs.network.device import device_memory, device_name
from catsdogs.network.metadata import package_versions
from catsdogs.network.precision import choose_precision
from catsdogs.training.feature_store import cache_dir


def info() -> dict[str, str]:
    """Facts about versions, backend, device, precision, weights and folders, by name."""
    precision = choose_precision()
    memory = device_memory()
    return {
        **package_versions(),
        "backend": keras.backend.backend(),
        "device": device_name(),
        "memory": f"{memory / 2**30:,.1f} GiB" if memory else "not known",
        "precision": f"{precision.name} ({precision.reason})",
        "decode threads": str(num_decode_threads(0)),
        "weights": get_backbone(ModelConfig().backbone).describe_source(),
        "feature store": str(cache_dir(CacheConfig())),
    }
