"""Bring a head up to the photos that it is fine-tuned on, before anything below it moves.

Linear probing, then fine-tuning (Kumar et al., "Fine-Tuning can Distort Pretrained Features and
Underperform Out-of-Distribution", 2022): a head that does not fit its photos sends large
gradients into the convolutions, which forget more than they learn. On stored features this takes
seconds.
"""

from dataclasses import replace

import keras

from catsdogs.network.classifier import POOLING_NAME, head_layers
from catsdogs.training.photo_features import TrainingSetup
from catsdogs.training.plan import TrainingPlan
from catsdogs.training.supervision import Supervision
from catsdogs.training.tail import train_above


def bring_up_head(model: keras.Model, setup: TrainingSetup) -> None:
    """Train the head alone, and leave the better head in the model: the new one or the old.

    Where the new one is better, how good the model was before is kept in the progress of the
    fine-tuning, which goes on from there. Nothing is done where `finetune.head_epochs` is 0, or
    where a resumed run is past it.

    Args:
        model: classifier, as `build_classifier` makes it.
        setup: of the fine-tuning.

    Raises:
        DataError: as `train_above`.
        StopRequested: it was asked to stop.
        OutOfMemoryError: the device's memory is too small.
    """
    config, progress = setup.config, setup.supervision.progress
    if not config.finetune.head_epochs or progress.epochs:
        return
    solved = sum(isinstance(layer, keras.layers.Dense) for layer in head_layers(model)) == 1
    # what is drawn afterwards shall not depend on which copy of the head was trained: on several
    # devices it is a twin, whose dropout draws for itself
    drawn = [
        (layer.seed_generator.state, keras.ops.copy(layer.seed_generator.state))
        for layer in head_layers(model)
        if isinstance(layer, keras.layers.Dropout) and layer.rate
    ]
    setup.console.note("the head alone first, on stored features")
    history = train_above(
        model,
        POOLING_NAME,
        replace(
            setup,
            plan=TrainingPlan.of_probing(config, setup.dataset, solved),
            # what is streamed anew in every epoch would take minutes
            config=config.model_copy(
                update={"augment": config.augment.model_copy(update={"views": 1})}
            ),
            supervision=Supervision(should_stop=setup.supervision.should_stop),
        ),
    )
    for state, before in drawn:
        state.assign(before)
    setup.supervision.stop_if_asked()
    if history.kept.number:
        progress.as_it_was = history.epochs[0]
    progress.num_frozen += history.num_frozen
    progress.frozen_seconds += history.frozen_seconds
