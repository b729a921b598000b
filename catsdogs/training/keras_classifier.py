"""A classifier that Keras trains."""

from functools import cached_property
from pathlib import Path

from catsdogs.config import Config
from catsdogs.model.known_photos import KnownPhotos
from catsdogs.model.metadata import Metadata
from catsdogs.model.model_file import save_model
from catsdogs.network.classifier import build_classifier, divide_logits, set_backbone_weights
from catsdogs.network.classifier_network import POOLING_NAME
from catsdogs.network.precision import Precision
from catsdogs.network.weights import Weights
from catsdogs.training.history import History
from catsdogs.training.photo_answers import OnTrained
from catsdogs.training.photo_features import TrainingSetup
from catsdogs.training.tail import hashes_of, train_above
from catsdogs.training.training_run import WeightHashes
from catsdogs.training.trunk import Trunk


class KerasClassifier:
    """See `NewClassifier`.

    Args:
        config: backbone and head.
        num_classes: two or more.
        weights: of the backbone.
        precision: what the convolutions compute in.

    Raises:
        ConfigError: the image size is too small for the backbone.
    """

    def __init__(
        self, config: Config, num_classes: int, weights: Weights, precision: Precision
    ) -> None:
        model = build_classifier(config.model, num_classes, precision.policy, config.seed)
        set_backbone_weights(model, weights)
        self._model = model
        self.trunk = Trunk(None, lambda: model, config, precision.name)

    @cached_property
    def hashes(self) -> WeightHashes:
        return hashes_of(self._model, POOLING_NAME)

    def train(self, setup: TrainingSetup, on_trained: OnTrained | None = None) -> History:
        return train_above(self._model, POOLING_NAME, setup, on_trained)

    def divide_logits(self, temperature: float) -> None:
        divide_logits(self._model, temperature)

    def save(self, path: Path, metadata: Metadata, known: KnownPhotos | None = None) -> None:
        save_model(path, self._model, metadata, known)
