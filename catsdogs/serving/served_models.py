"""Models that are served by name, and taken up anew when their files are replaced."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from catsdogs.errors import CatsdogsError
from catsdogs.model.predictor import Predictor
from catsdogs.systems import give_back_memory

CHECK_SECONDS = 1.0
"""Between two looks at the files."""


@dataclass(frozen=True, eq=False)  # each is itself, also where a file is loaded again
class ServedModel:
    """A model in service.

    Attributes:
        name: as in the address.
        path: its file.
        predictor: the loaded model.
        loaded: when, seconds since 1970.
    """

    name: str
    path: Path
    predictor: Predictor
    loaded: float


class ServedModels:
    """All models in service.

    A file that is replaced is loaded beside the old model, which answers until the new one is
    ready, and goes on where the new one cannot be opened.

    Args:
        paths: model files by name; the first is the default.
        open_model: opens a file.
        log: told in a line what is loaded, and what cannot be.

    Raises:
        CatsdogsError: a file cannot be opened at the start.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        open_model: Callable[[Path], Predictor],
        log: Callable[[str], None],
    ) -> None:
        self._open = open_model
        self._log = log
        self._stamps = {name: _stamp(path) for name, path in paths.items()}
        self._models = {name: self._load(name, path) for name, path in paths.items()}
        self._default = next(iter(paths))
        self._stopped = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="models", daemon=True)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(list(self._models.values()))

    def get(self, name: str | None) -> ServedModel | None:
        """The model of a name; the default one for None; None where there is none."""
        return self._models.get(name or self._default)

    def start(self) -> None:
        """Begin to look at the files."""
        self._watcher.start()

    def stop(self) -> None:
        """Look no more, and let the models go: FastAPI keeps what its applications hold."""
        self._stopped.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._models.clear()

    def _watch(self) -> None:
        while not self._stopped.wait(CHECK_SECONDS):
            self.refresh()

    def refresh(self) -> None:
        """Load what has been replaced since the last look."""
        replaced = [self._is_replaced(model) for model in self]  # each is looked at
        if any(replaced):
            give_back_memory()

    def _is_replaced(self, model: ServedModel) -> bool:
        """Whether a new model has taken the place of one whose file has changed."""
        stamp = _stamp(model.path)
        if stamp is None or stamp == self._stamps[model.name]:
            return False
        self._stamps[model.name] = stamp
        try:
            self._models[model.name] = self._load(model.name, model.path)
        except CatsdogsError as error:
            self._log(f"{error}; the model loaded before stays in service")
            return False
        self._log(f"{model.path} was replaced: the new model is in service")
        return True

    def _load(self, name: str, path: Path) -> ServedModel:
        return ServedModel(name, path, self._open(path), time.time())


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is replaced; None where it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
