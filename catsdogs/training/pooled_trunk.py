"""A pretrained network up to its pooling, as an engine: without Keras where ncnn computes it."""

from collections.abc import Callable
from dataclasses import dataclass

from catsdogs.config import Config, ModelConfig
from catsdogs.errors import WeightsError
from catsdogs.network.backbones import Backbone, backbone_names, get_backbone
from catsdogs.network.backbones.layered import LayeredBackbone
from catsdogs.network.engines.choice import choose_engine
from catsdogs.network.engines.engine import Engine
from catsdogs.network.layers import Flatten, GlobalAveragePooling, GlobalMaxPooling
from catsdogs.network.network import POOLING_NAME, Network
from catsdogs.network.weights import Weights
from catsdogs.training.feature_store import TrunkCard
from catsdogs.training.features import hash_arrays, hash_weights

_POOLINGS = {"average": GlobalAveragePooling, "max": GlobalMaxPooling, "flatten": Flatten}


@dataclass(frozen=True)
class PooledTrunk:
    """What turns photos into features.

    Attributes:
        engine: raw RGB photos to features `(n, num_features)`.
        card: what it is; `train` on the same backbone, engine and precision finds its features.
        num_features: of one photo.
    """

    engine: Engine
    card: TrunkCard
    num_features: int


def quickest_backbone(weights: str = "auto") -> str:
    """Name of the backbone with the fewest multiply-adds of those whose weights are here.

    Args:
        weights: as in the configuration; with `random`, all of them are.

    Raises:
        WeightsError: no network's weights are on this machine. None is downloaded.
    """
    names = [
        name
        for name in backbone_names()
        if weights == "random" or get_backbone(name).find_weights() is not None
    ]
    if not names:
        raise WeightsError(
            "no network's weights are on this machine: `catsdogs backbones` says where they come "
            "from",
            key="model.backbone",
        )
    sizes = {name: ModelConfig(backbone=name).image_size for name in names}
    return min(names, key=lambda name: get_backbone(name).macs(sizes[name]))


def pooled_trunk(config: Config, warn: Callable[[str], None]) -> PooledTrunk:
    """Load a backbone and make what computes its pooled features.

    Args:
        config: which backbone, its weights, size and pooling; engine and precision.
        warn: told in a line where an engine is missing, or where memory asks for smaller batches.

    Raises:
        WeightsError: there are no weights, or they are not what they should be.
        ConfigError: engine and precision contradict each other, or the image size is too small.
    """
    backbone = get_backbone(config.model.backbone)
    weights = backbone.load_weights(config.model.weights, config.seed)
    choice = choose_engine(config.engine, config.precision)
    if choice.name == "ncnn" and isinstance(backbone, LayeredBackbone):
        if choice.warning:
            warn(choice.warning)
        return _by_ncnn(backbone, weights, config)
    return _by_keras(backbone, weights, config, warn)


def _by_ncnn(backbone: LayeredBackbone, weights: Weights, config: Config) -> PooledTrunk:
    from catsdogs.network.engines.ncnn_engine import NcnnEngine

    body = backbone.layers(config.model.image_size)
    pooling = _POOLINGS[config.model.pooling](POOLING_NAME, (body[-1].name,))
    arrays = {name: tuple(found) for name, found in weights.layers.items()}
    network = Network((*body, pooling), arrays)
    # in the order of the layers, as Keras has them
    digest = hash_arrays(array for name in network.weight_shapes for array in arrays[name])
    (num_features,) = network.output_shapes[0]
    card = _card(config, NcnnEngine.fingerprint, "float32", digest)
    return PooledTrunk(NcnnEngine(network), card, num_features)


def _by_keras(
    backbone: Backbone, weights: Weights, config: Config, warn: Callable[[str], None]
) -> PooledTrunk:
    from catsdogs.network.backend import import_backend

    import_backend()
    from catsdogs.network.classifier import build_classifier, set_backbone_weights, split_at
    from catsdogs.network.precision import choose_precision
    from catsdogs.training.processes import ALONE
    from catsdogs.training.trunk import TrunkEngines

    model = build_classifier(config.model, 2, choose_precision(config.precision).policy)
    set_backbone_weights(model, weights)
    engines = TrunkEngines(model, config, ALONE, warn)
    trunk, tail = split_at(model, POOLING_NAME)
    card = _card(config, engines.fingerprint, engines.precision, hash_weights(trunk))
    return PooledTrunk(engines.make(POOLING_NAME), card, int(tail.input.shape[1]))


def _card(config: Config, engine: str, precision: str, weights: str) -> TrunkCard:
    model = config.model
    return TrunkCard(
        backbone=model.backbone,
        boundary=POOLING_NAME,
        pooling=model.pooling,
        image_size=model.image_size,
        engine=engine,
        precision=precision,
        weights=weights,
        fit=model.fit,
    )
