"""The frozen part of a classifier: what tells it from others, and the engine that computes it."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from catsdogs.config import Config
from catsdogs.model.keras_config import OtherLayersError, network_of
from catsdogs.network.backbones import get_backbone
from catsdogs.network.backend import backend_name, import_backend
from catsdogs.network.classifier_network import pooled_network
from catsdogs.network.engines.choice import EngineChoice, choose_engine
from catsdogs.network.engines.engine import Engine, LazyEngine
from catsdogs.network.layers import Shape
from catsdogs.network.network import Network
from catsdogs.network.weights import Weights
from catsdogs.training.features import hash_arrays
from catsdogs.training.processes import ALONE, ProcessGroup

if TYPE_CHECKING:  # where nothing has to be computed, or ncnn does it, there is no need of Keras
    import keras


class Trunk:
    """The frozen layers of a classifier, by name, and engines that compute their outputs.

    Args:
        network: in our own layers; None where it has others, or where that is not known yet.
        model: gives the classifier in Keras, as `build_classifier` makes it, on the devices of
            this process; called where Keras has to compute.
        config: which engine is wanted, and the size of photos.
        precision: what Keras would compute in.
        processes: those that train together.

    Attributes:
        choice: which engine it is, and why.
        precision: what that computes in.
    """

    def __init__(
        self,
        network: Network | None,
        model: "Callable[[], keras.Model]",
        config: Config,
        precision: str,
        processes: ProcessGroup = ALONE,
    ) -> None:
        self._network = network
        self._build = model
        self._config = config
        self._processes = processes
        self._hashes: dict[str, str] = {}
        self.choice = choose_engine(config.engine, config.precision)
        if self.choice.name == "ncnn":
            try:
                self._network = network or network_of(self._model)
            except OtherLayersError as error:
                self.choice = EngineChoice("keras", f"layers that only Keras has: {error}")
        self.precision = "float32" if self.choice.name == "ncnn" else precision

    @cached_property
    def _model(self) -> "keras.Model":
        return self._build()

    @property
    def fingerprint(self) -> str:
        """See `Engine`; known before an engine is made."""
        if self.choice.name == "ncnn":
            from catsdogs.network.engines.ncnn_engine import NcnnEngine

            return NcnnEngine.fingerprint
        return f"keras {backend_name()}, {self.precision}"

    def output_shape(self, name: str) -> Shape:
        """Shape of what a layer gives for one photo."""
        if self._network is not None:
            return self._network.shapes[name]
        return tuple(self._model.get_layer(name).output.shape[1:])

    def hash_up_to(self, name: str) -> str:
        """A hash (hex) of all weights up to a layer, the same whoever computes them."""
        if name not in self._hashes:
            self._hashes[name] = hash_arrays(self._weights_up_to(name))
        return self._hashes[name]

    def _weights_up_to(self, name: str) -> list[np.ndarray]:
        if self._network is not None:
            part = self._network.up_to(name)
            return [array for layer in part.weight_shapes for array in part.weights[layer]]
        from catsdogs.network.classifier import split_at

        frozen, _ = split_at(self._model, name)
        return frozen.get_weights()

    def engine(self, *names: str, warn: Callable[[str], None]) -> Engine:
        """An engine from raw RGB photos to the outputs of some layers, made once it is asked.

        Args:
            names: of the layers.
            warn: told in a line where an engine is missing, or where the device's memory asks
                for smaller batches.
        """

        def make() -> Engine:
            if self.choice.warning:
                warn(self.choice.warning)
            if self.choice.name == "ncnn" and self._network is not None:
                from catsdogs.network.engines.ncnn_engine import NcnnEngine

                return NcnnEngine(self._network.up_to(*names))
            return self._keras_engine(names, warn)

        return LazyEngine(self.choice.name, self.fingerprint, make)

    def _keras_engine(self, names: tuple[str, ...], warn: Callable[[str], None]) -> Engine:
        model = self._model
        import keras

        from catsdogs.network.engines.keras_engine import KerasEngine, forward_batch_size

        processes, config = self._processes, self._config.model
        backbone = get_backbone(config.backbone)
        batch_size = forward_batch_size(config.image_size, backbone.bytes_per_pixel)
        outputs = [model.get_layer(name).output for name in names]
        return KerasEngine(
            keras.Model(model.input, outputs, name="trunk"),
            self.precision,
            warn,
            batch_size * max(1, len(processes.local_devices)),
            processes.placement(),
        )


def new_trunk(
    config: Config,
    weights: Weights,
    precision: str,
    num_classes: int,
    processes: ProcessGroup = ALONE,
) -> Trunk:
    """The trunk of a classifier that is still to be made; Keras is imported where it computes.

    Args:
        config: backbone and image size.
        weights: of the backbone.
        precision: what Keras would compute in, by name.
        num_classes: two or more.
        processes: those that train together.

    Raises:
        ConfigError: the image size is too small for the backbone.
    """

    def build() -> "keras.Model":
        import_backend()
        from catsdogs.network.classifier import build_classifier, set_backbone_weights
        from catsdogs.network.precision import Precision

        policy = Precision(precision, "").policy
        with processes.forward_scope():
            model = build_classifier(config.model, num_classes, policy, config.seed)
            set_backbone_weights(model, weights)
        return model

    pooled = pooled_network(get_backbone(config.model.backbone), config.model, weights)
    return Trunk(pooled, build, config, precision, processes)
