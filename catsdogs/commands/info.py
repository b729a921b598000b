"""`catsdogs info`: what a run would stand on, on this machine."""

import importlib.util
import platform
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from catsdogs.config import CacheConfig, ModelConfig
from catsdogs.data.batches import num_decode_threads
from catsdogs.errors import ConfigError
from catsdogs.exporting.runtimes import RUNTIMES
from catsdogs.files import is_dir
from catsdogs.model.metadata import package_versions
from catsdogs.network.backbones import backbone_names, get_backbone
from catsdogs.network.backend import BACKENDS, backend_name, check_backend
from catsdogs.network.device import device_memory, device_name, gpu_names
from catsdogs.network.engines.choice import EngineChoice, choose_engine
from catsdogs.network.precision import Precision, choose_precision
from catsdogs.serving import PACKAGES
from catsdogs.systems import processor_load, shell_word
from catsdogs.text import counted
from catsdogs.training.cache_folder import cache_dir, list_stores
from catsdogs.training.feature_store import StoreError


def info() -> dict[str, str]:
    """Facts about versions, backend, device, precision, weights and folders, by name.

    Keras is imported only where a GPU has to be asked for.

    Raises:
        ConfigError: Keras is told to use a backend that is not installed, or that cannot train.
    """
    backend = _backend()
    engine = choose_engine()  # imports the backend quietly where a GPU may be
    precision = choose_precision()
    memory = device_memory()
    slow = "; ".join(_what_is_slow(precision, engine))
    return {
        **package_versions(),
        "python": f"{platform.python_version()}, {platform.system()} on {platform.machine()}",
        "backend": backend,
        "device": f"{device_name()}, {counted(num_decode_threads(0), 'processor core')} to use",
        "memory": f"{memory / 2**30:,.1f} GiB" if memory else "not known",
        "engine": f"{engine.name} ({engine.reason}), for answers and frozen layers in "
        f"{'float32' if engine.name == 'ncnn' else precision.name}",
        "precision": f"{precision.name} ({precision.reason}), for all that Keras computes",
        **({"slow here": slow} if slow else {}),
        "weights": get_backbone(ModelConfig().backbone).describe_source(),
        "other weights": _other_weights(),
        "exports": _exports(),
        "service": _service(),
        **_feature_store(),
    }


def _backend() -> str:
    """What trains dense heads and fine-tunes, or that a light installation does without.

    Raises:
        ConfigError: Keras is told to use a backend that cannot train.
    """
    try:
        return check_backend()
    except ConfigError:
        if backend_name() not in BACKENDS:
            raise
        return f"none: {backend_name()} or Keras is not installed, so that no dense head is trained"


def _other_weights() -> str:
    """Which other networks could be trained without a download."""
    others = [name for name in backbone_names() if name != ModelConfig().backbone]
    here = [name for name in others if get_backbone(name).find_weights() is not None]
    return f"{', '.join(here) or 'none'} on this machine; `catsdogs backbones` lists all"


def _exports() -> str:
    """Which formats can be written and checked here."""
    possible = [name for name, packages in RUNTIMES.items() if not _missing(packages)]
    if len(possible) == len(RUNTIMES):
        return ", ".join(possible)
    return f"{', '.join(possible)}; the others need `pip install {shell_word('catsdogs[export]')}`"


def _service() -> str:
    if missing := _missing(PACKAGES):
        return f"needs {' and '.join(missing)}: run `pip install {shell_word('catsdogs[serve]')}`"
    return "`catsdogs serve` can run"


def _missing(packages: Iterable[str]) -> list[str]:
    return [name for name in packages if importlib.util.find_spec(name) is None]


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


def _what_is_slow(precision: Precision, engine: EngineChoice) -> Iterator[str]:
    """Remarks on what holds this machine back, each with the way out."""
    if engine.warning:
        yield engine.warning
    elif not gpu_names() and (engine.name == "ncnn" or precision.name == "float32"):
        yield "no GPU and no AMX: a smaller model.image_size costs least accuracy"
    num_cores = num_decode_threads(0)
    if (load := processor_load()) > num_cores:
        yield (f"{load:.0f} processes want {counted(num_cores, 'core')}: measure when it is idle")
