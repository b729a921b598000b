"""Train the layers above a boundary: on stored features where they can be kept."""

import keras

from catsdogs.data.skipping import refuse_too_many
from catsdogs.network.classifier import backbone_policy, build_twin, freeze_below, split_at
from catsdogs.network.classifier_network import POOLING_NAME
from catsdogs.network.engines.engine import Engine
from catsdogs.network.engines.keras_engine import KerasEngine
from catsdogs.training.epochs import FeatureEpochs, StreamedEpochs
from catsdogs.training.feature_store import StoreError
from catsdogs.training.features import CachedFeatures, hash_weights
from catsdogs.training.fitting import fit_epochs
from catsdogs.training.heads.solving import solve_head, solved_classifier
from catsdogs.training.history import History
from catsdogs.training.model_state import ModelState, trained_weights
from catsdogs.training.objective import compile_for
from catsdogs.training.photo_answers import OnTrained, TrainedOnFeatures, TrainedOnPhotos
from catsdogs.training.photo_features import PhotoFeatures, TrainingSetup
from catsdogs.training.stored_features import on_features
from catsdogs.training.training_run import WeightHashes
from catsdogs.training.trunk import Trunk


def train_above(
    model: keras.Model,
    boundary: str,
    setup: TrainingSetup,
    on_trained: OnTrained | None = None,
) -> History:
    """Train the layers above a boundary and leave the kept epoch's weights in the model.

    What the frozen layers give is computed once for each photo and view and kept in the
    feature store. With `augment.views = 0`, or where features cannot be kept at all, every
    epoch runs fresh views through the whole network.

    Args:
        model: classifier, as `build_classifier` makes it.
        boundary: name of the last frozen layer.
        setup: photos and settings.
        on_trained: is handed the classifier with the kept weights, while the photos are at hand;
            of several processes, that of the first alone.

    Raises:
        DataError: no readable photos are left to train on or to validate with, or more than
            `data.max_unreadable` are unreadable.
        StopRequested: it was asked to stop before the first epoch had ended.
        OutOfMemoryError: the device's memory is too small.
    """
    refuse_too_many(setup.dataset, setup.config.data.max_unreadable)
    processes = setup.processes
    freeze_below(model, boundary)
    with processes.training_scope():
        trained = model if len(processes.devices) < 2 else _twin(model, boundary, setup)
        history = _train(model, trained, boundary, setup, on_trained)
    if trained is not model:
        model.set_weights(trained.get_weights())
    return history


def hashes_of(model: keras.Model, boundary: str) -> WeightHashes:
    """What a classifier's weights are, those up to a boundary and all of them."""
    frozen, _ = split_at(model, boundary)
    return WeightHashes(hash_weights(frozen), hash_weights(model))


def _twin(model: keras.Model, boundary: str, setup: TrainingSetup) -> keras.Model:
    """The same classifier once more, its variables where the scope around it wants them."""
    twin = build_twin(model, setup.config.model)
    freeze_below(twin, boundary)
    return twin


def _train(
    model: keras.Model,
    trained: keras.Model,
    boundary: str,
    setup: TrainingSetup,
    on_trained: OnTrained | None,
) -> History:
    """Train `trained`, which is `model` or its twin on all devices, the best way there is."""
    if setup.plan.solved:
        return on_features(
            _trunk(model, boundary, setup),
            boundary,
            setup,
            lambda features: _solve(trained, boundary, features, setup, on_trained),
        )
    if setup.config.augment.views:
        try:
            return _train_on_features(model, trained, boundary, setup, on_trained)
        except StoreError:  # it has been said; everything through the whole network, then
            pass
    streamed = StreamedEpochs(trained, setup)
    history = fit_epochs(streamed, setup.plan, setup.console, setup.supervision)
    streamed.drop_lost()
    if on_trained and setup.processes.is_leader and not history.interrupted:
        on_trained(TrainedOnPhotos(setup, _answering_engine(model, trained, None, setup)))
    return history


def _trunk(model: keras.Model, boundary: str, setup: TrainingSetup) -> Trunk:
    frozen = _on_this_process(model, boundary, setup)
    precision = backbone_policy(model).compute_dtype
    return Trunk(None, lambda: frozen, setup.config, precision, setup.processes)


def _on_this_process(model: keras.Model, boundary: str, setup: TrainingSetup) -> keras.Model:
    """The classifier on the devices of this process alone, other than what is trained."""
    with setup.processes.forward_scope():
        on_one = len(setup.processes.local_devices) < 2
        return model if on_one else _twin(model, boundary, setup)


def _answering_engine(
    model: keras.Model, trained: keras.Model, boundary: str | None, setup: TrainingSetup
) -> Engine:
    """From photos, or from features at a boundary, to what is pooled and to probabilities.

    From the pooled features themselves it gives probabilities alone.
    """
    own = _on_this_process(model, boundary or POOLING_NAME, setup)
    if own is not trained:
        own.set_weights(trained.get_weights())
    begin = own.get_layer(boundary).output if boundary else own.input
    # an output that is the input is more than Keras takes
    pooled = [] if boundary == POOLING_NAME else [own.get_layer(POOLING_NAME).output]
    return KerasEngine(
        keras.Model(begin, [*pooled, own.output]),
        backbone_policy(own).compute_dtype,
        setup.console.warn,
        placement=setup.processes.placement(),
    )


def _train_on_features(
    model: keras.Model,
    trained: keras.Model,
    boundary: str,
    setup: TrainingSetup,
    on_trained: OnTrained | None,
) -> History:
    """Train the tail. Raises: StoreError where its features can be kept nowhere."""
    _, tail = split_at(trained, boundary)
    compile_for(tail, setup.plan.learning_rate, setup.plan.class_weights)
    start = ModelState.of(tail)

    def fit(features: CachedFeatures) -> History:
        if setup.supervision.progress.state is None:
            start.restore(tail)  # from what an attempt with another store has left of it
        source = FeatureEpochs(tail, features, setup)
        history = fit_epochs(source, setup.plan, setup.console, setup.supervision)
        if on_trained is not None:
            if not history.interrupted:
                source.prepare(1)  # a resumed run may have had nothing left to do
            if setup.processes.is_leader:
                engine = _answering_engine(model, trained, boundary, setup)
                on_trained(
                    TrainedOnFeatures(
                        features, setup, lambda values: [values, *engine.outputs(values)][-2:]
                    )
                )
        return history

    return on_features(_trunk(model, boundary, setup), boundary, setup, fit)


def _solve(
    model: keras.Model,
    boundary: str,
    features: CachedFeatures,
    setup: TrainingSetup,
    on_trained: OnTrained | None,
) -> History:
    """Solve the one dense layer above the boundary, and leave the kept one in the model."""
    _, tail = split_at(model, boundary)
    start = tail.layers[-1].get_weights()
    source = PhotoFeatures(features, setup)
    history = solve_head(source, start, setup.plan, setup.console, setup.supervision)
    kept = setup.supervision.progress.kept_weights
    for variable, value in zip(trained_weights(tail), kept, strict=True):
        variable.assign(value)
    if on_trained is not None and setup.processes.is_leader:
        on_trained(solved_classifier(source, setup))
    return history
