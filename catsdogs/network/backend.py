"""Importing Keras and its backend without the lines they print on every start."""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from catsdogs.errors import CatsdogsError, ConfigError
from catsdogs.files import scratch_file
from catsdogs.systems import shell_word

BACKENDS = ("tensorflow", "jax", "torch")
"""What can train; TensorFlow is the one that catsdogs brings along."""


_KERAS_SETTINGS = (
    "KERAS_HOME",
    "KERAS_MAX_EPOCHS",
    "KERAS_MAX_STEPS_PER_EPOCH",
    "KERAS_NNX_ENABLED",
)
"""Variables that Keras takes settings from; its backend is the one that is not hidden."""


def backend_name() -> str:
    """The backend that Keras computes with, or would compute with were it imported."""
    if "keras" in sys.modules:
        return sys.modules["keras"].backend.backend()
    return os.environ.get("KERAS_BACKEND") or BACKENDS[0]


def check_backend() -> str:
    """The backend that `import_backend` would import, which is there.

    Raises:
        ConfigError: Keras is told to use a backend that is not installed, or that cannot train.
    """
    wanted = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if wanted not in BACKENDS:
        raise ConfigError(f"KERAS_BACKEND should be one of {', '.join(BACKENDS)}, got {wanted!r}")
    missing = [name for name in ("keras", wanted) if importlib.util.find_spec(name) is None]
    if missing == [wanted] and wanted != BACKENDS[0]:
        raise ConfigError(
            f"KERAS_BACKEND is {wanted}, which is not installed: "
            f"run `pip install {shell_word(f'catsdogs[{wanted}]')}`, or leave KERAS_BACKEND out"
        )
    if missing:
        raise ConfigError(
            f"this needs {' and '.join(missing)}, which a light installation does not have: run "
            f"`pip install {' '.join(missing)}`"
        )
    return wanted


def import_backend() -> None:
    """Import Keras with its backend, quietly; what it printed is shown where that fails.

    A GPU's memory is taken as it is needed.

    TensorFlow's libraries write to file descriptor 2 before any log level is read, so the
    descriptor itself is turned away for the time of the import.

    Raises:
        ConfigError: Keras is told to use a backend that is not installed, or that cannot train.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    wanted = check_backend()
    os.environ["KERAS_BACKEND"] = wanted
    _name_a_temporary_folder()
    if wanted != "tensorflow" and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _WithoutTensorFlow())
    with captured_stderr(), _without("sklearn", "matplotlib"), _without_user_settings():
        import keras  # noqa: F401
    with captured_stderr():
        _take_memory_as_needed()


def _take_memory_as_needed() -> None:
    """Keep TensorFlow from taking all of every GPU's memory at once, others' share included."""
    if backend_name() == "tensorflow":
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)


class _WithoutTensorFlow(MetaPathFinder, Loader):
    """Makes `import tensorflow` fail as if it were not installed.

    Keras loads it wherever it is, with any backend, to compare types with its own: seconds,
    hundreds of MiB and most of a GPU's memory for nothing.
    """

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name == "tensorflow" else None

    def exec_module(self, module: ModuleType) -> None:
        raise ModuleNotFoundError("the Keras backend is another one", name=module.__name__)


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Make packages look as if they were not installed, unless they are imported already.

    Keras imports these where it finds them, for wrappers and plots that nobody here uses; its
    own import takes 1.4 times as long then. Once it is imported they can be imported as ever.
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: not importable
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _name_a_temporary_folder() -> None:
    """Let the backend be told of one where none can be written: it asks, and writes nothing."""
    try:
        tempfile.gettempdir()
    except OSError:
        tempfile.tempdir = os.sep


@contextmanager
def _without_user_settings() -> Iterator[None]:
    """Keep Keras from reading a `keras.json`, and from writing one.

    What another program of the user's needs, such as `channels_first` or float64, would make
    other networks of ours. Weights are looked up in Keras' folder as ever (see `weights.py`).
    """
    hidden = {name: os.environ.pop(name) for name in _KERAS_SETTINGS if name in os.environ}
    os.environ["KERAS_HOME"] = str(Path(os.devnull, "keras"))  # neither is there nor can be made
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"]
        os.environ.update(hidden)


@contextmanager
def captured_stderr() -> Iterator[None]:
    """Turn file descriptor 2 away; what was written to it is shown where the block fails."""
    sys.stderr.flush()
    with scratch_file() as captured:
        stderr = os.dup(2)
        os.dup2(captured.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        except CatsdogsError:  # a line that says it all
            failed = False
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            if failed:
                captured.seek(0)
                os.write(2, captured.read())
