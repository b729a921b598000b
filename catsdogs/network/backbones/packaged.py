"""Backbones whose ImageNet weights come from a package of the index, as PyTorch's tensors."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catsdogs.errors import WeightsError
from catsdogs.network.backbones.layered import LayeredBackbone
from catsdogs.network.layers import BatchNormalization, DepthwiseConvolution
from catsdogs.network.pytorch_file import read_state_dict
from catsdogs.network.weights import PackageFile, Weights, read_given_file
from catsdogs.untrusted.boundary import foreign_bytes


@dataclass(frozen=True, eq=False, kw_only=True)
class PackagedBackbone(LayeredBackbone):
    """See `Backbone`.

    Attributes:
        package: where the weights are looked for.
        tensor_names: names of the layers that have weights, each with what the names of its
            tensors begin with in the package's file.
    """

    package: PackageFile
    tensor_names: Mapping[str, str]

    @property
    def ways_out(self) -> str:
        """What can be done where the weights are missing."""
        return (
            f"run `{self.package.command}`, "
            f"or set model.weights to the path of {Path(self.package.file).name}"
        )

    def load_weights(self, setting: str, seed: int = 0) -> Weights:
        if setting == "random":
            return Weights(self.random_layers(seed), "random", "")
        if setting != "auto":
            path, content = read_given_file(setting, self.ways_out)
            layers = self._read(path, content)
            return Weights(layers, str(path), hashlib.sha256(content).hexdigest())
        found = self.find_weights()
        if found is None:
            raise WeightsError(f"no ImageNet weights of {self.name} here: {self.ways_out}")
        layers = self._read(found, self.package.read(found))
        return Weights(layers, f"package {self.package.requirement}", self.package.sha256)

    def find_weights(self) -> Path | None:
        return self.package.find()

    def describe_source(self) -> str:
        if (found := self.find_weights()) is not None:
            return f"package {self.package.requirement}, {found}"
        return f"none on this machine: {self.ways_out}"

    def _read(self, path: Path, content: bytes) -> dict[str, list[np.ndarray]]:
        with foreign_bytes(path, WeightsError, self.ways_out, f"is no file of {self.name}"):
            tensors = read_state_dict(content)
            layers = {
                name: self._arrays(name, prefix, tensors)
                for name, prefix in self.tensor_names.items()
            }
            for name, shapes in self.weight_shapes.items():
                found = tuple(array.shape for array in layers[name])
                if found != shapes:
                    raise ValueError(f"{self.tensor_names[name]} has the shapes {found}")
            return layers

    def _arrays(
        self, name: str, prefix: str, tensors: Mapping[str, np.ndarray]
    ) -> list[np.ndarray]:
        """A layer's tensors in Keras' order and layout."""
        match self._smallest.layer(name):
            case BatchNormalization():
                parts = ("weight", "bias", "running_mean", "running_var")
                return [tensors[f"{prefix}.{part}"] for part in parts]
            case DepthwiseConvolution():  # (channels, 1, rows, columns)
                return [tensors[f"{prefix}.weight"].transpose(2, 3, 0, 1)]
            case _:  # (filters, channels, rows, columns)
                return [tensors[f"{prefix}.weight"].transpose(2, 3, 1, 0)]
