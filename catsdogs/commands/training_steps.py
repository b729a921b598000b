"""The steps that `train` and `finetune` have in common."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from catsdogs.config import Config
from catsdogs.console import Console
from catsdogs.data.dataset import Dataset, load_dataset
from catsdogs.data.layout import TRAIN, VALIDATION
from catsdogs.data.listing import NOTHING, ClassMapping
from catsdogs.errors import ConfigError
from catsdogs.evaluation.backbone_choice import BackboneTrial
from catsdogs.files import check_writable, not_writable
from catsdogs.model.metadata import Metadata, WeightsRecord, is_other_hdf5
from catsdogs.model.refusal import rounded_up
from catsdogs.reporting.curves import CurvesPicture
from catsdogs.reporting.tensorboard import TensorBoardLog
from catsdogs.text import counted, some_of
from catsdogs.training.checkpoint import RunFacts
from catsdogs.training.finishing import Finisher
from catsdogs.training.history import History
from catsdogs.training.run_listener import RunListener


def check_model_output(path: Path) -> None:
    """Find out before a training whether its model can be written, and replaces nothing else.

    Raises:
        DataError: it cannot, or an HDF5 file is there that is no model of ours.
    """
    check_writable(path)
    if is_other_hdf5(path):
        error = FileExistsError(None, "it is there already, and no model of catsdogs")
        raise not_writable(path, error, "output")


def read_photos(
    config: Config,
    console: Console,
    class_names: tuple[str, ...] | None = None,
    known_classes: ClassMapping = NOTHING,
    as_one: bool = False,
) -> Dataset:
    """Load the dataset with progress, and say what it holds; arguments as for `load_dataset`."""
    with console.task("reading photos") as task:
        dataset = load_dataset(
            config.data, config.seed, class_names, task.advance, known_classes, as_one
        )
    for note in dataset.notes:
        console.note(note)
    for warning in dataset.warnings:
        console.warn(warning)
    photos = f"{counted(dataset.count(TRAIN), 'photo')} to train on"
    if not as_one:
        photos += f", {dataset.count(VALIDATION):,} for validation"
    names = dataset.class_names
    console.note(f"{photos}, {len(names)} classes: {some_of(names)}")
    return dataset


def with_classes(config: Config, known: ClassMapping) -> Config:
    """A configuration with what `data.classes` of an earlier training says and it does not."""
    classes = {**known, **config.data.classes}
    data = config.data.model_copy(update={"classes": classes})
    return config.model_copy(update={"data": data})


def check_unknown_share(config: Config, dataset: Dataset, could_fold: bool = False) -> None:
    """Make sure, before anything is trained, that there are photos enough to learn to refuse by.

    Args:
        config: with the share.
        dataset: of the training.
        could_fold: `train.folds` would let it judge by all photos.

    Raises:
        ConfigError: the share of `unknown.share` is smaller than they can tell.
    """
    share, count = config.unknown.share, dataset.count(VALIDATION)
    if share and share < 1 / (count + 1):
        folds = "train.folds = 5 with head.kind = logistic, which judges by all photos, "
        raise ConfigError(
            f"unknown.share = {share:g} asks for {math.ceil(1 / share - 1e-9) - 1:,} held-out "
            f"photos to judge by, and there are {count:,}: give more photos, "
            f"{f'set {folds}' if could_fold else ''}or ask for a share of "
            f"{rounded_up(1 / (count + 1)):g} or more",
            key="unknown.share",
        )


def run_listeners(config: Config) -> list[RunListener]:
    """What is told how a run goes, besides its own record.

    Raises:
        ConfigError: `run.tensorboard` is on and its package is not installed.
    """
    listeners: list[RunListener] = [CurvesPicture()]
    if config.run.tensorboard:
        listeners.append(TensorBoardLog())
    return listeners


def describe(
    stage: Literal["train", "finetune"],
    config: Config,
    dataset: Dataset,
    history: History,
    weights: WeightsRecord,
    facts: RunFacts,
    finisher: Finisher,
    compared: Sequence[BackboneTrial] = (),
) -> Metadata:
    """What the model file says about itself."""
    unknown, limits = finisher.refused
    return Metadata(
        class_names=dataset.class_names,
        image_size=config.model.image_size,
        stage=stage,
        kept_epoch=history.kept.number,
        interrupted=history.interrupted,
        config=config.model_dump(mode="json"),
        backbone=config.model.backbone,
        weights=weights,
        data_fingerprint=dataset.fingerprint(),
        num_photos={split: dataset.count(split) for split in dataset.splits},
        validation=history.kept_score(dataset.count(VALIDATION)),
        temperature=finisher.temperature,
        unknown=unknown,
        limits=limits,
        compared=tuple(compared),
        run_id=facts.run_id,
        start_run_id=facts.start_run_id,
    )
