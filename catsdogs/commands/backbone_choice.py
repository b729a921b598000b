"""`model.backbone = "auto"`: compare the networks that are there on the photos, and take one."""

from catsdogs.config import AUTO_BACKBONE, Config, ModelConfig
from catsdogs.console import Console
from catsdogs.data.dataset import Dataset
from catsdogs.data.layout import TRAIN, VALIDATION
from catsdogs.data.samples import Sample
from catsdogs.errors import ConfigError, WeightsError
from catsdogs.evaluation.backbone_choice import BackboneTrial, choose_trial
from catsdogs.network.backbones import backbone_names, get_backbone
from catsdogs.network.backbones.measured import MEASURED
from catsdogs.reporting.backbone_table import format_trials
from catsdogs.training.heads.solving import answer_in_folds
from catsdogs.training.processes import ALONE, ProcessGroup
from catsdogs.training.stored_features import photo_features

_NUM_FOLDS = 5
"""Where the configuration does not say."""

_NEARLY_AS_QUICK = 1.5
"""Times the quickest network's multiply-adds, up to which one that was measured is preferred."""

_LEAST_A_CLASS = 5
"""Photos of a class in a sample, where it has them: one for each fold."""


def backbones_to_compare(config: Config) -> list[str]:
    """Names of the networks that `model.backbone` admits: one, or for `auto`, some.

    Raises:
        ConfigError: a name is unknown, or `model.weights` is a file, which only one can have.
        WeightsError: no network's weights are on this machine.
    """
    if config.model.backbone != AUTO_BACKBONE:
        return [get_backbone(config.model.backbone).name]
    wanted, known = config.train.backbones, backbone_names()
    if config.model.weights not in ("auto", "random"):
        raise ConfigError(
            f"model.weights is a file, {config.model.weights}, which holds the weights of one "
            "network: name that in model.backbone in place of auto"
        )
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigError(
            f"train.backbones should hold some of {', '.join(known)}, got {unknown[0]!r}"
        )
    names = list(wanted) or [name for name in known if _is_there(config, name)]
    if not names:
        raise WeightsError(
            "model.backbone is auto and no network's weights are on this machine: "
            "`catsdogs backbones` says where they come from",
            key="model.backbone",
        )
    return names


def with_quickest_backbone(config: Config, console: Console) -> Config:
    """The same on the network of the fewest multiply-adds that needs no download.

    Unless one is named, or one that was measured is nearly as quick. It is for work that any of
    them does well; `choose_backbone` asks which of them is right most often.

    Args:
        config: of all commands.
        console: is told where the weights of a network that is named will come from.

    Raises:
        WeightsError: no network's weights are on this machine.
    """
    model = config.model
    if "backbone" in model.model_fields_set and model.backbone != AUTO_BACKBONE:
        backbone = get_backbone(model.backbone)
        if model.weights == "auto" and backbone.find_weights() is None:
            console.note(f"{backbone.name}: {backbone.describe_source()}")
        return config
    names = [name for name in backbone_names() if _is_there(config, name)]
    if not names:
        raise WeightsError(
            "no network's weights are on this machine: `catsdogs backbones` says where they come "
            "from",
            key="model.backbone",
        )
    sizes = {name: _with_backbone(config, name).model.image_size for name in names}
    work = {name: get_backbone(name).macs(sizes[name]) for name in names}
    quick = [name for name in names if work[name] <= _NEARLY_AS_QUICK * min(work.values())]
    return _with_backbone(config, min(quick, key=lambda name: (name not in MEASURED, work[name])))


def _is_there(config: Config, name: str) -> bool:
    backbone, size = get_backbone(name), _with_backbone(config, name).model.image_size
    is_there = config.model.weights == "random" or backbone.find_weights() is not None
    return is_there and min(size) >= backbone.minimum_size


def choose_backbone(
    config: Config, dataset: Dataset, console: Console, processes: ProcessGroup = ALONE
) -> tuple[Config, tuple[BackboneTrial, ...]]:
    """Cross-validate logistic heads on the features of each network, and choose a network.

    Only photos to train on are asked. Their features stay in the feature store, where a training
    on the network that was chosen finds them.

    Args:
        config: `train.backbones` names those to compare, `train.backbone_photos` says on how
            many photos at most.
        dataset: is left as it is.
        console: shows the table.
        processes: those that train together.

    Returns:
        The configuration with the network that was chosen, and what each one gave. Where a
        network is named, the configuration as it is, and nothing.

    Raises:
        CatsdogsError: as `backbones_to_compare`; photos, weights or configuration cannot be used.
    """
    names = backbones_to_compare(config)
    if config.model.backbone != AUTO_BACKBONE:
        return config, ()
    sample = _sample(dataset, config.train.backbone_photos)
    console.note(f"comparing {', '.join(names)} on {sample.count(TRAIN):,} photos")
    trials = tuple(_try(_with_backbone(config, name), sample, console, processes) for name in names)
    chosen = choose_trial(trials).name
    for line in format_trials(trials, chosen):
        console.note(line)
    return _with_backbone(config, chosen), trials


def _with_backbone(config: Config, name: str) -> Config:
    """The same on a network; a size or a fit that was not asked for becomes its own."""
    given = config.model.model_dump(include=config.model.model_fields_set)
    model = ModelConfig.model_validate({**given, "backbone": name})
    return config.model_copy(update={"model": model})


def _sample(dataset: Dataset, num_photos: int) -> Dataset:
    """Some of the photos to train on, the same share of each class, by their contents' hashes."""
    everything = dataset.splits[TRAIN]
    share = min(1.0, num_photos / len(everything))
    taken: list[Sample] = []
    for label in range(len(dataset.class_names)):
        of_class = [sample for sample in everything if sample.label == label]
        count = max(_LEAST_A_CLASS, round(share * len(of_class)))
        # copies, which have one hash, stand together
        taken += sorted(of_class, key=lambda sample: sample.content_hash)[:count]
    return Dataset(dataset.class_names, {TRAIN: taken, VALIDATION: []})


def _try(
    config: Config, sample: Dataset, console: Console, processes: ProcessGroup
) -> BackboneTrial:
    """What a logistic head on a network gives. Photos that cannot be read leave the sample."""
    # what a fine-tuning would need is kept once the network is known
    cache = config.cache.model_copy(update={"ahead": False})
    photos = photo_features(config.model_copy(update={"cache": cache}), sample, console, processes)
    answers = answer_in_folds(
        photos, config.train.folds or _NUM_FOLDS, config.head.class_weights == "balanced"
    )
    return BackboneTrial(
        name=config.model.backbone,
        image_size=config.model.image_size,
        multiply_adds=get_backbone(config.model.backbone).macs(config.model.image_size),
        num_right=int((answers.logits.argmax(axis=1) == photos.labels).sum()),
        num_photos=len(photos.labels),
    )
