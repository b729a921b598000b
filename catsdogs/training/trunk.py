"""The frozen part of a classifier, on the engine that suits the machine."""

from collections.abc import Callable

import keras

from catsdogs.config import Config
from catsdogs.model.keras_config import OtherLayersError, network_of
from catsdogs.network.backbones import get_backbone
from catsdogs.network.classifier import backbone_policy
from catsdogs.network.engines.choice import EngineChoice, choose_engine
from catsdogs.network.engines.engine import Engine
from catsdogs.network.engines.keras_engine import KerasEngine, forward_batch_size
from catsdogs.network.network import Network
from catsdogs.training.processes import ProcessGroup


def choose_trunk_engine(model: keras.Model, config: Config) -> tuple[EngineChoice, Network | None]:
    """Which engine computes a classifier's frozen layers.

    Returns:
        The choice, and the network for ncnn; None where it is Keras.
    """
    choice = choose_engine(config.engine, config.precision)
    if choice.name != "ncnn":
        return choice, None
    try:
        return choice, network_of(model)
    except OtherLayersError as error:
        return EngineChoice("keras", f"layers that only Keras has: {error}"), None


class TrunkEngines:
    """Makes engines that compute outputs of a classifier's frozen layers.

    Args:
        model: classifier, as `build_classifier` makes it, on the devices of this process.
        config: which engine is wanted, and the size of photos.
        processes: those that train together.
        warn: told in a line where an engine is missing, or where the device's memory asks for
            smaller batches.

    Attributes:
        choice: which engine it is, and why.
        precision: what it computes in.
    """

    def __init__(
        self,
        model: keras.Model,
        config: Config,
        processes: ProcessGroup,
        warn: Callable[[str], None],
    ) -> None:
        self._model = model
        self._config = config
        self._processes = processes
        self._warn = warn
        self.choice, self._network = choose_trunk_engine(model, config)
        self.precision: str = "float32" if self._network else backbone_policy(model).compute_dtype
        if self.choice.warning:
            warn(self.choice.warning)

    @property
    def fingerprint(self) -> str:
        """See `Engine`; known before an engine is made."""
        if self.choice.name == "ncnn":
            from catsdogs.network.engines.ncnn_engine import NcnnEngine

            return NcnnEngine.fingerprint
        return f"keras {keras.backend.backend()}, {self.precision}"

    def make(self, *names: str) -> Engine:
        """An engine from raw RGB photos to the outputs of some layers.

        Raises:
            DataError: there is no room for the temporary file that ncnn reads weights from.
        """
        if self._network is not None:
            from catsdogs.network.engines.ncnn_engine import NcnnEngine

            return NcnnEngine(self._network.up_to(*names))
        processes, config = self._processes, self._config.model
        backbone = get_backbone(config.backbone)
        batch_size = forward_batch_size(config.image_size, backbone.bytes_per_pixel)
        outputs = [self._model.get_layer(name).output for name in names]
        return KerasEngine(
            keras.Model(self._model.input, outputs, name="trunk"),
            self.precision,
            self._warn,
            batch_size * max(1, len(processes.local_devices)),
            processes.placement(),
        )
