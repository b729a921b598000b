"""`catsdogs train`: a head on the frozen backbone."""

from pathlib import Path

from catsdogs.commands.backbone_choice import backbones_to_compare, choose_backbone
from catsdogs.commands.other_choices import notes_on_choices
from catsdogs.commands.training_steps import (
    check_model_output,
    check_unknown_share,
    describe,
    read_photos,
    run_listeners,
)
from catsdogs.config import Config
from catsdogs.console import Console
from catsdogs.data.layout import TRAIN
from catsdogs.data.photo_sizes import note_on_small_photos
from catsdogs.model.metadata import WeightsRecord
from catsdogs.network.backbones import get_backbone
from catsdogs.run import RunDir, check_run_parent
from catsdogs.training.finishing import Finisher
from catsdogs.training.new_classifier import new_classifier
from catsdogs.training.photo_features import TrainingSetup
from catsdogs.training.plan import TrainingPlan
from catsdogs.training.processes import ALONE, ProcessGroup
from catsdogs.training.training_run import StopSignal, TrainingRun, TrainResult


def train(
    config: Config,
    console: Console,
    stop_signal: StopSignal | None = None,
    resumed: RunDir | None = None,
    processes: ProcessGroup = ALONE,
) -> TrainResult:
    """Train the head on photos from class folders and save the classifier.

    Args:
        config: that of the run, where one is resumed.
        console: where progress is shown.
        stop_signal: ends the training early, with the best epoch so far.
        resumed: the run to go on with; None: a new one.
        processes: those that train together; all of them call this.

    Raises:
        CatsdogsError: photos, weights, configuration or output cannot be used.
        StopRequested: it was asked to stop before the first epoch had ended.
    """
    run = TrainingRun(
        "train", config, console, stop_signal, resumed, processes, run_listeners(config)
    )
    path = Path(config.output)
    if processes.is_leader:
        check_model_output(path)
        if resumed is None:
            check_run_parent(Path(config.run.dir))
    backbones_to_compare(config)  # before the photos are read, which takes longer
    dataset = read_photos(config, console, as_one=bool(config.train.folds))
    check_unknown_share(config, dataset, could_fold=not config.train.folds)
    for note in notes_on_choices(config, dataset):
        console.note(note)
    config, compared = choose_backbone(config, dataset, console, processes)
    if compared:
        run.resolve(config)
    elif resumed is not None:
        compared = resumed.read_backbones()
    backbone = get_backbone(config.model.backbone)
    photos = [sample.path for sample in dataset.splits[TRAIN]]
    if remark := note_on_small_photos(photos, config.model.image_size):
        console.note(remark)
    precision = run.choose_precision()
    weights = backbone.load_weights(config.model.weights, config.seed)
    num_classes = len(dataset.class_names)
    classifier = new_classifier(config, num_classes, weights, precision, processes)
    arithmetic, engine = f"in {precision.name} ({precision.reason})", classifier.trunk.choice
    # with no views, Keras computes all of it, each time
    if engine.name == "ncnn" and (config.augment.views or config.head.kind == "logistic"):
        arithmetic = f"in float32 by ncnn ({engine.reason})"
    console.note(f"{backbone.name} with weights from {weights.source}, {arithmetic}")
    plan = TrainingPlan.of_head(config, dataset)
    with run.begin(dataset, classifier.hashes, precision) as supervision:
        if compared and processes.is_leader:
            run.run_dir.write_backbones(compared)
        setup = TrainingSetup(dataset, plan, config, console, supervision, processes)
        finisher = Finisher(setup)
        history = finisher.finished(classifier.train(setup, finisher))
        record = WeightsRecord(source=weights.source, sha256=weights.sha256)
        if processes.is_leader:
            classifier.divide_logits(finisher.temperature)
            metadata = describe(
                "train", config, dataset, history, record, run.facts, finisher, compared
            )
            classifier.save(path, metadata, finisher.known)
        return run.finish(history)
