import re

import keras
import numpy as np
import pytest

from catsdogs.console import Console
from catsdogs.errors import DivergedError
from catsdogs.training.fitting import fit_epochs
from catsdogs.training.plan import TrainingPlan


class Points(keras.utils.PyDataset):
    def __init__(self, x, y, batch_size=4):
        super().__init__()
        self.x, self.y, self.batch_size = x, y, batch_size

    def __len__(self):
        return -(-len(self.x) // self.batch_size)

    def __getitem__(self, index):
        chosen = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.x[chosen], self.y[chosen]


class PointEpochs:
    """Ten points to learn from; in `poisoned` epochs their labels are swapped."""

    num_training = num_validation = 10
    num_frozen = 0
    frozen_seconds = 0.0

    def __init__(self, model, poisoned=()):
        self.model = model
        self.prepared = []
        self._poisoned = poisoned
        self._x = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
        self._y = (self._x[:, 0] > 0).astype(np.int32)

    def prepare(self, epoch):
        self.prepared.append(epoch)

    def training_batches(self, epoch):
        return Points(self._x, 1 - self._y if epoch in self._poisoned else self._y)

    def validation_batches(self):
        return Points(self._x, self._y)


def make_model():
    return keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros")]
    )


def plan(**changes):
    values = {"section": "train", "epochs": 4, "batch_size": 4, "learning_rate": 0.1}
    values |= {"patience": 0, "keep": "best"}
    return TrainingPlan(**{**values, "start_counts": False, **changes})


def evaluate(source):
    return source.model.evaluate(source.validation_batches(), verbose=0, return_dict=True)


def test_learns_and_counts_every_epoch(capsys):
    source = PointEpochs(make_model())
    history = fit_epochs(source, plan(), Console())
    assert [epoch.number for epoch in history.epochs] == [1, 2, 3, 4] == source.prepared
    assert history.kept.number == 4
    assert history.epochs[3].validation_loss < history.epochs[0].validation_loss
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("epoch 1/4  loss 0.")
    assert [line.split("  ")[0] for line in lines[:4]] == [f"epoch {n}/4" for n in (1, 2, 3, 4)]
    assert len(lines) == 5
    assert lines[4].startswith("the validation loss was still falling: more than 4 epochs would")


def test_one_epoch_is_no_epochs(capsys):
    source = PointEpochs(make_model())
    fit_epochs(source, plan(epochs=1, start_counts=True), Console())
    assert "more than 1 epoch would help (train.epochs)" in capsys.readouterr().err


@pytest.mark.parametrize(("keep", "kept"), [("best", 2), ("last", 4)])
def test_keeps_the_epoch_that_was_asked_for(keep, kept):
    source = PointEpochs(make_model(), poisoned=(3, 4))
    history = fit_epochs(source, plan(keep=keep), Console())
    assert history.kept.number == kept
    assert evaluate(source)["loss"] == pytest.approx(history.kept.validation_loss, rel=1e-5)


def test_start_counts_as_epoch_0_and_wins_when_training_only_harms():
    model = make_model()
    model.layers[0].set_weights([np.array([[-2.0, 2.0], [0.0, 0.0]]), np.zeros(2)])
    before = model.get_weights()
    source = PointEpochs(model, poisoned=(1, 2))
    history = fit_epochs(source, plan(epochs=2, start_counts=True), Console())
    assert [epoch.number for epoch in history.epochs] == [0, 1, 2]
    assert history.kept.number == 0
    assert history.epochs[0].loss is None
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_stops_early_after_as_many_epochs_as_patience_allows(capsys):
    source = PointEpochs(make_model(), poisoned=range(2, 100))
    history = fit_epochs(source, plan(epochs=50, patience=3), Console())
    assert [epoch.number for epoch in history.epochs] == [1, 2, 3, 4]
    assert history.kept.number == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "stopped early: 3 epochs without a better validation loss"
    )


def test_learning_rate_falls_along_a_cosine_to_a_twentieth():
    rates = [plan(epochs=100).rate_share(epoch) for epoch in (1, 51, 100)]
    assert rates == pytest.approx([1, 0.525, 0.05], abs=1e-3)
    assert plan(epochs=1).rate_share(1) == 1
    history = fit_epochs(PointEpochs(make_model()), plan(epochs=2), Console())
    assert [epoch.learning_rate for epoch in history.epochs] == pytest.approx([0.1, 0.0525])


@pytest.mark.parametrize("start_counts", [True, False])
def test_a_training_that_diverges_stops_and_names_the_key(start_counts):
    diverging = plan(learning_rate=1e38, start_counts=start_counts)
    with pytest.raises(DivergedError) as caught:
        fit_epochs(PointEpochs(make_model()), diverging, Console())
    assert re.fullmatch(
        r"the training diverged in epoch 1 \(loss \S+, validation loss \S+\): choose a smaller "
        r"train.learning_rate than 1e\+38",
        str(caught.value),
    )
    assert caught.value.key == "train.learning_rate"


def test_a_model_that_is_damaged_before_fine_tuning_is_called_that():
    model = make_model()
    model.layers[0].set_weights([np.full((2, 2), np.nan), np.zeros(2)])
    with pytest.raises(DivergedError) as caught:
        fit_epochs(PointEpochs(model), plan(start_counts=True), Console())
    assert str(caught.value) == (
        "the loss of the model as it was is nan: its weights are damaged, train it anew"
    )
