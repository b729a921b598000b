"""What a photo weighs counts in the loss of both heads, and in no accuracy."""

import keras
import numpy as np
import pytest

from catsdogs.config import DataConfig
from catsdogs.data.batches import targets
from catsdogs.data.dataset import load_dataset
from catsdogs.data.samples import Sample
from catsdogs.training.heads.logistic import fit_logistic
from catsdogs.training.objective import compile_for
from tests.test_dataset import fill


def log_losses(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]


def test_targets_have_weights_beside_the_labels_only_where_they_differ(tmp_path):
    alike = [Sample(tmp_path, label) for label in (0, 2, 1)]
    assert targets(alike).dtype == np.int32
    assert targets(alike).tolist() == [0, 2, 1]
    weighed = [*alike, Sample(tmp_path, 1, weight=0.5)]
    assert targets(weighed).tolist() == [[0, 1], [2, 1], [1, 1], [1, 0.5]]


@pytest.mark.parametrize("class_weights", [(), (0.5, 1.0, 2.0)])
@pytest.mark.parametrize("num_classes", [2, 3])
def test_a_weight_counts_in_the_loss_and_in_no_accuracy(class_weights, num_classes):
    generator = np.random.default_rng(0)
    features = generator.normal(size=(40, 5)).astype(np.float32)
    labels = generator.integers(num_classes, size=40)
    weights = generator.uniform(0.1, 3, 40).astype(np.float32)
    model = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(num_classes)])
    compile_for(model, 0.01, class_weights[:num_classes])
    logits = np.asarray(model(features))
    aimed_at = np.stack([labels, weights], axis=1).astype(np.float32)
    figures = model.evaluate(features, aimed_at, verbose=0, return_dict=True, batch_size=16)
    of_classes = np.array(class_weights or (1, 1, 1))[labels]
    losses = log_losses(logits, labels) * weights * of_classes
    assert figures["log_loss"] == pytest.approx(losses.mean(), rel=1e-5)
    right = (logits.argmax(axis=1) == labels).mean()
    assert figures["accuracy"] == pytest.approx(right, rel=1e-6)
    plain = model.evaluate(features, labels, verbose=0, return_dict=True, batch_size=16)
    assert plain["accuracy"] == pytest.approx(right, rel=1e-6)


def test_a_photo_that_weighs_twice_trains_a_dense_head_as_two_copies_do():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(20, 4)).astype(np.float32)
    labels = generator.integers(2, size=20)
    counts = generator.integers(1, 4, 20)

    def trained(features, aimed_at):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
        compile_for(model, 0.1)
        model.fit(features, aimed_at, batch_size=100, epochs=3, shuffle=False, verbose=0)
        return model.get_weights()[0]

    weights = counts / counts.mean()
    weighed = trained(features, np.stack([labels, weights], axis=1).astype(np.float32))
    copied = trained(np.repeat(features, counts, axis=0), np.repeat(labels, counts))
    np.testing.assert_allclose(weighed, copied, rtol=1e-3, atol=1e-4)


def test_a_logistic_head_goes_by_the_weights():
    generator = np.random.default_rng(1)
    labels = np.arange(60) % 2
    features = generator.normal(size=(60, 3)) + labels[:, None] * 0.8
    weights = generator.uniform(0.1, 3, 60)
    head = fit_logistic(features, labels, 2, weights=weights)
    plain = fit_logistic(features, labels, 2)
    assert not np.allclose(head.kernel, plain.kernel, rtol=1e-2)
    answers = head.logits(features)
    found = answers[:, 1] - answers[:, 0]
    gradient = (weights * (1 / (1 + np.exp(-found)) - labels)).sum()
    assert gradient == pytest.approx(0, abs=1e-3)  # the bias is not regularised


def test_photos_of_a_weight_that_is_nearly_nothing_teach_nearly_nothing():
    generator = np.random.default_rng(2)
    labels = np.arange(80) % 2
    features = generator.normal(size=(80, 3)) + labels[:, None] * 2
    wrong = labels.copy()
    wrong[:30] = 1 - wrong[:30]
    weights = np.where(np.arange(80) < 30, 1e-6, 1.0)
    head = fit_logistic(features, wrong, 2, weights=weights)
    assert (head.logits(features).argmax(axis=1) == labels).mean() > 0.9


def test_weights_reach_the_samples_of_both_splits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "a", 4)
    fill(tmp_path / "b", 4)
    rows = [
        f"{name}/{number}.png,{name},{'validation' if number == 3 else 'train'},{number + 1}"
        for name in "ab"
        for number in range(4)
    ]
    (tmp_path / "data.csv").write_text("path,label,split,weight\n" + "\n".join(rows))
    dataset = load_dataset(DataConfig(dir="data.csv"), 0)
    assert [s.weight for s in dataset.splits["train"]] == [0.5, 1, 1.5] * 2
    assert [s.weight for s in dataset.splits["validation"]] == [2, 2]
