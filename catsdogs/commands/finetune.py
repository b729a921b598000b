"""`catsdogs finetune`: the top blocks of the backbone together with the head."""

from pathlib import Path

from catsdogs.commands.run_models import head_path
from catsdogs.commands.training_steps import (
    check_model_output,
    check_unknown_share,
    describe,
    read_photos,
    run_listeners,
    with_classes,
)
from catsdogs.config import Config, UnknownConfig
from catsdogs.console import Console
from catsdogs.model.model_file import copy_model, load_model, save_model
from catsdogs.network.backbones import finetuned_block, get_backbone
from catsdogs.network.classifier import divide_logits
from catsdogs.run import RunDir, check_run_parent
from catsdogs.training.finishing import Finisher
from catsdogs.training.photo_features import TrainingSetup
from catsdogs.training.plan import TrainingPlan
from catsdogs.training.probing import bring_up_head
from catsdogs.training.processes import ALONE, ProcessGroup
from catsdogs.training.tail import hashes_of, train_above
from catsdogs.training.training_run import StartModel, StopSignal, TrainingRun, TrainResult


def finetune(
    config: Config,
    model_path: Path | None,
    console: Console,
    stop_signal: StopSignal | None = None,
    resumed: RunDir | None = None,
    processes: ProcessGroup = ALONE,
) -> TrainResult:
    """Unfreeze the top of a trained classifier and save it if that makes it better.

    First the head is brought up to the photos on stored features. The model as it was, or with
    that head where it is better, counts as epoch 0: the weights with the best validation loss
    are what is saved. A head-only model stays beside it, as `<name>.head.h5`.

    Args:
        config: its `model` section is that of the model file; all of it that of the run, where
            one is resumed.
        model_path: the model to start from; None: the one that the resumed run started from.
        console: where progress is shown.
        stop_signal: ends the training early, with the best epoch so far.
        resumed: the run to go on with; None: a new one.
        processes: those that train together; all of them call this.

    Raises:
        CatsdogsError: model, photos, configuration or output cannot be used.
        StopRequested: it was asked to stop before the start was validated.
    """
    run = TrainingRun(
        "finetune", config, console, stop_signal, resumed, processes, run_listeners(config)
    )
    if model_path is None:
        model_path = Path(run.begun.model if run.begun else config.output)
    path = Path(config.output)
    if processes.is_leader:
        check_model_output(path)
        if resumed is None:
            check_run_parent(Path(config.run.dir))
    backbone = get_backbone(config.model.backbone)
    block = finetuned_block(backbone, config.finetune.block)
    boundary = backbone.cut_points[block]
    precision = run.choose_precision()
    model, metadata = load_model(model_path, precision.policy)
    keeps_head = metadata.stage == "train"
    if processes.is_leader and keeps_head:
        check_model_output(head_path(path))
    divide_logits(model, 1 / metadata.temperature)  # epochs are compared without one
    known = metadata.data_classes
    dataset = read_photos(config, console, metadata.class_names, known)
    check_unknown_share(config, dataset)
    if "share" not in config.unknown.model_fields_set:
        config = config.model_copy(update={"unknown": UnknownConfig(share=metadata.unknown)})
        run.resolve(config)
    console.note(
        f"{model_path}, {block} and above trained in {precision.name} ({precision.reason})"
    )
    plan = TrainingPlan.of_finetuning(config, dataset)
    hashes = hashes_of(model, boundary)
    start = StartModel(model_path, metadata.run_id)
    with run.begin(dataset, hashes, precision, start) as supervision:
        setup = TrainingSetup(dataset, plan, config, console, supervision, processes)
        bring_up_head(model, setup)
        finisher = Finisher(setup, metadata.temperature)
        history = finisher.finished(train_above(model, boundary, setup, finisher))
        if processes.is_leader:
            divide_logits(model, finisher.temperature)
            if keeps_head:
                copy_model(model_path, head_path(path))
            record = describe(
                "finetune",
                with_classes(config, known),
                dataset,
                history,
                metadata.weights,
                run.facts,
                finisher,
                metadata.compared,
            )
            save_model(path, model, record, finisher.known)
        return run.finish(history)
