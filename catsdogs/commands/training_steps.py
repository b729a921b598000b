"""The steps that `train` and `finetune` have in common."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from catsdogs.config import Config
from catsdogs.console import Console
from catsdogs.data.dataset import TRAIN, VALIDATION, Dataset, load_dataset
from catsdogs.evaluation.score import Score
from catsdogs.network.metadata import Metadata, ValidationRecord, WeightsRecord
from catsdogs.training.history import History


@dataclass(frozen=True)
class TrainResult:
    """What a training gave.

    Attributes:
        run_path: the run directory.
        model_path: the saved classifier.
        score: on the validation photos, of the saved weights.
        history: all epochs.
        num_skipped: photos that could not be read.
        seconds: wall time of the command.
    """

    run_path: Path
    model_path: Path
    score: Score
    history: History
    num_skipped: int
    seconds: float


def read_photos(
    config: Config, console: Console, class_names: tuple[str, ...] | None = None
) -> Dataset:
    """Load the dataset with progress, and say what it holds."""
    with console.task("reading photos") as task:
        dataset = load_dataset(config.data, config.seed, class_names, task.advance)
    for note in dataset.notes:
        console.note(note)
    for warning in dataset.warnings:
        console.warn(warning)
    console.note(
        f"{dataset.count(TRAIN):,} photos to train on, {dataset.count(VALIDATION):,} for "
        f"validation, {len(dataset.class_names)} classes: {', '.join(dataset.class_names)}"
    )
    return dataset


def kept_score(history: History, dataset: Dataset) -> Score:
    """The kept epoch's figures on the validation photos."""
    kept = history.kept
    return Score(kept.validation_loss, kept.validation_accuracy, dataset.count(VALIDATION))


def describe(
    stage: Literal["train", "finetune"],
    config: Config,
    dataset: Dataset,
    history: History,
    weights: WeightsRecord,
) -> Metadata:
    """What the model file says about itself."""
    score = kept_score(history, dataset)
    low, high = score.interval
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
        validation=ValidationRecord(
            loss=score.loss,
            accuracy=score.accuracy,
            num_photos=score.num_photos,
            interval_low=low,
            interval_high=high,
        ),
    )
