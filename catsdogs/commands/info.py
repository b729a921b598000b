"""`catsdogs info`: what a run would stand on, on this machine."""

import shutil
from pathlib import Path

import keras

from catsdogs.config import CacheConfig, ModelConfig
from catsdogs.data.batches import num_decode_threads
from catsdogs.files import is_dir
from catsdogs.model.metadata import package_versions
from catsdogs.network.backbones import get_backbone
from catsdogs.network.device import device_memory, device_name, gpu_names
from catsdogs.network.engines.choice import EngineChoice, choose_engine
from catsdogs.network.precision import Precision, choose_precision
from catsdogs.training.feature_store import StoreError, cache_dir, list_stores


def info() -> dict[str, str]:
    """Facts about versions, backend, device, precision, weights and folders, by name."""
    precision, engine = choose_precision(), choose_engine()
    memory = device_memory()
    return {
        **package_versions(),
        "backend": keras.backend.backend(),
        "device": device_name(),
        "memory": f"{memory / 2**30:,.1f} GiB" if memory else "not known",
        "engine": f"{engine.name} ({engine.reason}), for answers and frozen layers in "
        f"{'float32' if engine.name == 'ncnn' else precision.name}",
        "precision": f"{precision.name} ({precision.reason}), for all that Keras computes",
        **_what_is_slow(precision, engine),
        "decode threads": str(num_decode_threads(0)),
        "weights": get_backbone(ModelConfig().backbone).describe_source(),
        **_feature_store(),
    }


def _feature_store() -> dict[str, str]:
    try:
        folder = cache_dir(CacheConfig())
        used = sum(store.num_bytes for store in list_stores(folder))
    except StoreError as error:
        return {"feature store": f"none: {error}"}
    budget = CacheConfig().max_gib
    return {
        "feature store": f"{folder}, {used / 2**30:.1f} of {budget:.0f} GiB",
        "free disk": f"{_free_bytes(folder) / 2**30:,.1f} GiB where the features are kept",
    }


def _free_bytes(folder: Path) -> int:
    """Free bytes of the disk that holds a folder, or would hold it."""
    while not is_dir(folder) and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _what_is_slow(precision: Precision, engine: EngineChoice) -> dict[str, str]:
    """Remarks on what holds this machine back, each with the way out."""
    if engine.warning:
        return {"slow here": engine.warning}
    if not gpu_names() and (engine.name == "ncnn" or precision.name == "float32"):
        remark = "no GPU and no AMX: a smaller model.image_size costs least accuracy"
        return {"slow here": remark}
    return {}
