"""What `train` says before it begins, where it was left to the defaults and others do better."""

from collections.abc import Sequence

from catsdogs.config import Config, ModelConfig
from catsdogs.data.dataset import Dataset
from catsdogs.data.layout import TRAIN, VALIDATION
from catsdogs.network.backbones import get_backbone
from catsdogs.network.backbones.measured import MEASURED

_ENOUGH_TO_WAIT_FOR = 200
"""Photos from which on it is worth saying that another network takes a fraction of the time."""

_MUCH_LIGHTER = 0.2
"""Share of a network's multiply-adds from which on another one is worth naming."""

_FEW_A_CLASS = 50
"""Photos to train on, below which those that are held back are missed (docs/heads.md)."""


def notes_on_choices(config: Config, dataset: Dataset) -> list[str]:
    """A line for each choice that was left to its default, where another does better.

    Args:
        config: of the training; what was set in it by anybody is not spoken of.
        dataset: the photos.
    """
    available = [name for name in MEASURED if get_backbone(name).find_weights()]
    num_trained = dataset.count(TRAIN)
    notes = [
        note_on_backbone(config, num_trained + dataset.count(VALIDATION), available),
        note_on_head(config, num_trained, len(dataset.class_names)),
    ]
    return [note for note in notes if note]


def note_on_backbone(config: Config, num_photos: int, available: Sequence[str]) -> str:
    """Name a network that is here, much lighter, and no worse where both were measured.

    Args:
        config: of the training.
        num_photos: that the network would have to see.
        available: names of measured networks whose weights are on this machine.

    Returns:
        A sentence; empty where there is nothing to say.
    """
    model = config.model
    own = MEASURED.get(model.backbone)
    if "backbone" in model.model_fields_set or model.weights != "auto" or own is None:
        return ""
    if num_photos < _ENOUGH_TO_WAIT_FOR:
        return ""
    work = get_backbone(model.backbone).macs(model.image_size)
    for name in available:
        share = get_backbone(name).macs(ModelConfig(backbone=name).image_size) / work
        if MEASURED[name].num_right >= own.num_right and share < _MUCH_LIGHTER:
            return (
                f"{name} is here, too: {share:.0%} of {model.backbone}'s work for a photo, and no "
                'worse where both were measured; model.backbone = "auto" lets these photos tell'
            )
    return ""


def note_on_head(config: Config, num_trained: int, num_classes: int) -> str:
    """Say so where classes are so small that the photos held back are missed.

    Args:
        config: of the training.
        num_trained: photos that are trained on.
        num_classes: of them.

    Returns:
        A sentence; empty where there is nothing to say.
    """
    a_class = num_trained / num_classes
    if "kind" in config.head.model_fields_set or config.data.subsample != 1:
        return ""
    if config.head.kind != "dense" or a_class >= _FEW_A_CLASS:
        return ""
    return (
        f'{a_class:.0f} photos a class are few: with head.kind = "logistic" and train.folds = 5 '
        "all are trained on, and the accuracy is over all of them"
    )
