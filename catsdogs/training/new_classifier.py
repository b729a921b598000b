"""A classifier that is still to be trained: by Keras, or solved on plain arrays without it."""

from pathlib import Path
from typing import Protocol

import numpy as np

from catsdogs.config import Config
from catsdogs.data.skipping import refuse_too_many
from catsdogs.model.known_photos import KnownPhotos
from catsdogs.model.metadata import Metadata
from catsdogs.model.network_file import save_network
from catsdogs.network.backbones import get_backbone
from catsdogs.network.backend import backend_name, import_backend
from catsdogs.network.classifier_network import POOLING_NAME, pooled_network, with_linear_head
from catsdogs.network.network import Network
from catsdogs.network.precision import Precision
from catsdogs.network.weights import Weights
from catsdogs.training.features import CachedFeatures, hash_arrays
from catsdogs.training.heads.solving import solve_head, solved_classifier
from catsdogs.training.history import History
from catsdogs.training.model_state import Values
from catsdogs.training.photo_answers import OnTrained
from catsdogs.training.photo_features import PhotoFeatures, TrainingSetup
from catsdogs.training.processes import ProcessGroup
from catsdogs.training.stored_features import on_features
from catsdogs.training.training_run import WeightHashes
from catsdogs.training.trunk import Trunk, new_trunk


class NewClassifier(Protocol):
    """What is trained, saved and then gone.

    Attributes:
        trunk: its frozen layers.
        hashes: of its weights before the first epoch.
    """

    @property
    def trunk(self) -> Trunk: ...

    @property
    def hashes(self) -> WeightHashes: ...

    def train(self, setup: TrainingSetup, on_trained: OnTrained | None = None) -> History:
        """Train the head, and keep the weights of the kept epoch.

        Args:
            setup: photos and settings.
            on_trained: as for `train_above`.

        Raises:
            DataError: no readable photos are left, or too many are unreadable.
            StopRequested: it was asked to stop before the first epoch had ended.
            OutOfMemoryError: the device's memory is too small.
        """

    def divide_logits(self, temperature: float) -> None:
        """Divide what goes into the softmax, before it is saved."""

    def save(self, path: Path, metadata: Metadata, known: KnownPhotos | None = None) -> None:
        """Write the model file.

        Args:
            path: ends in .h5.
            metadata: what the file says about itself.
            known: what photos of its classes look like to it; None leaves it out.

        Raises:
            DataError: it cannot be written; an old one is still whole.
            DivergedError: a weight is NaN or infinite; likewise.
        """


class SolvedClassifier:
    """A classifier in our own layers, whose head is solved: it needs Keras for nothing itself.

    See `NewClassifier`.

    Args:
        pooled: preprocessing, backbone and pooling.
        trunk: the same, to be computed.
        num_classes: two or more.
    """

    def __init__(self, pooled: Network, trunk: Trunk, num_classes: int) -> None:
        self.trunk = trunk
        self._pooled = pooled
        (num_features,) = pooled.output_shapes[0]
        self._head: Values = [
            np.zeros((num_features, num_classes), np.float32),
            np.zeros(num_classes, np.float32),
        ]
        frozen = trunk.hash_up_to(POOLING_NAME)
        self.hashes = WeightHashes(frozen, hash_arrays(self._head))

    def train(self, setup: TrainingSetup, on_trained: OnTrained | None = None) -> History:
        refuse_too_many(setup.dataset, setup.config.data.max_unreadable)

        def solve(features: CachedFeatures) -> History:
            source = PhotoFeatures(features, setup)
            history = solve_head(source, self._head, setup.plan, setup.console, setup.supervision)
            if on_trained is not None:
                on_trained(solved_classifier(source, setup))
            return history

        history = on_features(self.trunk, POOLING_NAME, setup, solve)
        self._head = setup.supervision.progress.kept_weights
        return history

    def divide_logits(self, temperature: float) -> None:
        self._head = [array / np.float32(temperature) for array in self._head]

    def save(self, path: Path, metadata: Metadata, known: KnownPhotos | None = None) -> None:
        save_network(path, with_linear_head(self._pooled, *self._head), metadata, known)


def may_need_no_backend(config: Config) -> bool:
    """Whether a classifier can be trained without Keras, as far as the configuration tells."""
    return config.head.kind == "logistic" and backend_name() == "tensorflow"


def new_classifier(
    config: Config,
    num_classes: int,
    weights: Weights,
    precision: Precision,
    processes: ProcessGroup,
) -> NewClassifier:
    """Make a classifier, its backbone with pretrained weights and its head freshly drawn.

    Args:
        config: backbone and head.
        num_classes: two or more.
        weights: of the backbone.
        precision: what Keras computes in, where it has to.
        processes: those that train together.

    Raises:
        ConfigError: the image size is too small for the backbone.
    """
    if may_need_no_backend(config) and len(processes.devices) < 2:
        pooled = pooled_network(get_backbone(config.model.backbone), config.model, weights)
        if pooled is not None:
            trunk = new_trunk(config, weights, precision.name, num_classes)
            return SolvedClassifier(pooled, trunk, num_classes)
    import_backend()
    from catsdogs.training.keras_classifier import KerasClassifier

    return KerasClassifier(config, num_classes, weights, precision)
