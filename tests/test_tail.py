import numpy as np
import pytest
from PIL import Image

from catsdogs.config_file import load_config
from catsdogs.console import Console
from catsdogs.data.batches import shuffled
from catsdogs.data.dataset import load_dataset
from catsdogs.data.images import read_photo
from catsdogs.errors import DataError
from catsdogs.network.classifier import build_classifier, set_backbone_weights
from catsdogs.network.precision import choose_precision
from catsdogs.training.cache_folder import cache_dir, count_features, list_stores
from catsdogs.training.photo_features import TrainingSetup
from catsdogs.training.plan import TrainingPlan
from catsdogs.training.tail import train_above
from tests.tiny_backbone import TINY

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tiny_backbone")]


@pytest.fixture
def data(tmp_path):
    """Red and green photos: 6 of each to train on, 3 for validation."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 6), ("validation", 3)):
        for channel, name in enumerate(("green", "red")):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 80, (40, 40, 3)).astype(np.uint8)
                pixels[..., 1 - channel] += 150
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "data"


class Run:
    """One training from fresh weights."""

    def __init__(
        self, data, boundary="pooling", start_counts=False, epochs=2, console=None, **settings
    ):
        overrides = {
            "data.dir": str(data),
            "model.backbone": TINY.name,
            "model.weights": "random",
            "model.image_size": [32, 32],
            "precision": "float32",
            "cache.dir": str(data.parent / "cache"),
            **{key.replace("__", "."): value for key, value in settings.items()},
        }
        self.config = load_config(None, overrides)
        self.dataset = load_dataset(self.config.data, self.config.seed)
        precision = choose_precision(self.config.precision)
        self.model = build_classifier(
            self.config.model, len(self.dataset.class_names), precision.policy, self.config.seed
        )
        set_backbone_weights(self.model, TINY.load_weights("random"))
        plan = TrainingPlan(
            section="train",
            epochs=epochs,
            batch_size=5,
            learning_rate=1e-3,
            patience=0,
            keep="best",
            start_counts=start_counts,
        )
        setup = TrainingSetup(self.dataset, plan, self.config, console or Console())
        self.history = train_above(self.model, boundary, setup)

    @property
    def losses(self):
        return [(epoch.loss, epoch.validation_loss) for epoch in self.history.epochs]


def test_the_second_run_computes_nothing_and_gives_the_same_history(data, capsys):
    first = Run(data)
    assert "frozen layers: 18 photos in" in capsys.readouterr().err
    second = Run(data)
    assert "frozen layers" not in capsys.readouterr().err
    assert first.losses == second.losses
    for one, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_new_and_changed_photos_are_computed(data, capsys):
    Run(data)
    capsys.readouterr()
    folder = data / "train" / "red"
    (folder / "0.png").rename(folder / "renamed.png")
    Image.new("RGB", (40, 40), "red").save(folder / "1.png")
    Image.new("RGB", (40, 40), "darkred").save(folder / "new.png")
    Run(data)
    err = capsys.readouterr().err
    assert "frozen layers: 2 photos in" in err
    assert "17 from the cache" in err


def test_training_a_head_keeps_what_finetuning_needs(data, capsys):
    Run(data, epochs=3, augment__views=2)
    capsys.readouterr()
    after = Run(data, "block1_pool", augment__views=2)
    assert "frozen layers" not in capsys.readouterr().err
    alone = Run(data, "block1_pool", augment__views=2, cache__dir=str(data.parent / "other"))
    assert "frozen layers: 18 photos in" in capsys.readouterr().err
    np.testing.assert_allclose(after.losses, alone.losses, rtol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"cache__ahead": False},
        {"cache__max_gib": 0.001},  # room for the pooled vectors, not for both
    ],
)
def test_nothing_is_kept_ahead_where_it_is_not_wanted_or_does_not_fit(data, settings):
    run = Run(data, **settings)
    (store,) = list_stores(cache_dir(run.config.cache))
    assert store.card.boundary == "pooling"
    assert count_features(store.path) == 18


def test_other_size_weights_or_precision_hit_no_old_features(data, capsys):
    Run(data)
    for changes in ({"model__image_size": [32, 40]}, {"precision": "bfloat16"}):
        capsys.readouterr()
        Run(data, **changes)
        assert "frozen layers: 18 photos in" in capsys.readouterr().err


def test_validation_of_the_tail_is_that_of_the_whole_classifier(data):
    run = Run(data)
    samples = run.dataset.splits["validation"]
    images = np.stack([read_photo(sample.path, (32, 32)) for sample in samples])
    probabilities = run.model.predict(images, verbose=0)
    chosen = probabilities[np.arange(6), [sample.label for sample in samples]]
    assert -np.log(chosen).mean() == pytest.approx(run.history.kept.validation_loss, rel=2e-3)


def test_frozen_layers_stay_as_they_were_and_unfrozen_ones_do_not(data):
    frozen = TINY.load_weights("random").layers
    head_only = Run(data).model
    tuned = Run(data, boundary="block1_pool").model

    def kernel(model, name):
        return model.get_layer(name).get_weights()[0]

    np.testing.assert_array_equal(kernel(head_only, "block2_conv"), frozen["block2_conv"][0])
    np.testing.assert_array_equal(kernel(tuned, "block1_conv"), frozen["block1_conv"][0])
    assert not np.array_equal(kernel(tuned, "block2_conv"), frozen["block2_conv"][0])


def test_views_are_computed_when_first_needed_and_come_round_again(data, capsys):
    Run(data, epochs=3, augment__views=2)
    err = capsys.readouterr().err
    assert "frozen layers: 18 photos in" in err
    assert "frozen layers: 12 photos in" in err
    assert err.count("frozen layers:") == 2


def test_zero_views_stream_fresh_photos_and_keep_nothing(data, capsys):
    run = Run(data, augment__views=0)
    assert "frozen layers" not in capsys.readouterr().err
    assert not (data.parent / "cache").exists()
    assert run.losses == Run(data, augment__views=0).losses
    assert len(run.history.epochs) == 2


def test_streamed_and_stored_epochs_agree_on_validation_before_training(data):
    streamed = Run(data, start_counts=True, epochs=1, augment__views=0).history.epochs[0]
    stored = Run(data, start_counts=True, epochs=1).history.epochs[0]
    assert streamed.validation_loss == pytest.approx(stored.validation_loss, rel=1e-3)


@pytest.mark.parametrize("views", [0, 1])
def test_unreadable_photos_are_skipped_and_listed(data, views):
    broken = data / "train" / "red" / "2.png"
    broken.write_bytes(broken.read_bytes()[:300])
    run = Run(data, augment__views=views)
    assert [path for path, _ in run.dataset.unreadable] == [broken]
    assert run.dataset.count("train") == 11
    assert len(run.history.epochs) == 2


@pytest.mark.parametrize("views", [0, 1])
def test_split_without_a_readable_photo_is_one_line(data, views):
    for path in (data / "validation").rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"^no validation photo can be read, e.g. .*0.png: not a "):
        Run(data, augment__views=views)


def test_cache_folder_that_cannot_be_used_is_one_warning_and_the_same_result(data, capsys):
    expected = Run(data).losses
    blocked = data.parent / "blocked"
    blocked.write_text("a file in place of the folder")
    capsys.readouterr()
    run = Run(data, cache__dir=str(blocked))
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1
    assert "going on without it" in warnings[0]
    assert run.losses == expected


def test_budget_too_small_for_the_features_falls_back_too(data, capsys):
    expected = Run(data).losses
    capsys.readouterr()
    run = Run(data, cache__max_gib=1e-4, cache__dir=str(data.parent / "small"))
    assert "are more than cache.max_gib = 0.0001 allows" in capsys.readouterr().err
    assert run.losses == expected


def test_cache_can_be_turned_off(data):
    Run(data, cache__enabled=False)
    assert not (data.parent / "cache").exists()


def test_one_photo_a_class_is_enough(data, capsys):
    run = Run(data, data__subsample=100)
    assert run.dataset.count("train") == run.dataset.count("validation") == 2
    assert len(run.history.epochs) == 2


def test_three_classes_train(data):
    for split in ("train", "validation"):
        folder = data / split / "blue"
        folder.mkdir()
        for number in range(3):
            Image.new("RGB", (40, 40), (number, 0, 255)).save(folder / f"{number}.png")
    run = Run(data)
    assert run.dataset.class_names == ("blue", "green", "red")
    assert run.model.output.shape == (None, 3)


def test_float16_training_of_convolutions_scales_the_loss(data):
    run = Run(data, boundary="block1_pool", precision="float16", epochs=1)
    assert np.isfinite(run.history.epochs[0].loss)


EPOCH_1_ENDS = "epoch 1/3  loss "
"""Where a machine is slow, lines about steps begin with the epoch as well."""


class Meddler(Console):
    """Does something to the photos as soon as a line is said that starts in a certain way."""

    def __init__(self, start, meddle):
        super().__init__()
        self._start = start
        self._meddle = meddle

    def note(self, text):
        super().note(text)
        if text.startswith(self._start):
            self._meddle()


def test_photos_that_get_lost_between_streamed_epochs_are_left_out(data):
    gone, changed = data / "train" / "red" / "2.png", data / "train" / "green" / "4.png"

    def meddle():
        gone.unlink(missing_ok=True)
        Image.new("RGB", (40, 40)).save(changed)

    console = Meddler(EPOCH_1_ENDS, meddle)
    run = Run(data, epochs=3, console=console, augment__views=0, data__max_unreadable=0.2)
    assert sorted(run.dataset.unreadable) == [
        (changed, "changed while it was read"),
        (gone, "no such file or directory"),
    ]
    assert run.dataset.count("train") == 10
    assert np.isfinite(run.losses).all()
    assert len(run.history.epochs) == 3


def test_whole_batches_that_get_lost_end_a_streamed_training_in_one_line(data):
    def meddle():
        for path in (data / "train").rglob("*.png"):
            path.unlink(missing_ok=True)

    console = Meddler(EPOCH_1_ENDS, meddle)
    with pytest.raises(DataError, match=r"^no train photo can be read, e.g. .*: no such file or d"):
        Run(data, epochs=3, console=console, augment__views=0, data__max_unreadable=1)


def test_one_whole_batch_that_gets_lost_ends_a_streamed_training_in_one_line(data):
    def meddle():
        for sample in shuffled(run_samples(data), 0, 2)[:5]:
            sample.path.unlink(missing_ok=True)

    console = Meddler(EPOCH_1_ENDS, meddle)
    with pytest.raises(DataError, match=r"^the photos of a whole batch got lost, e.g. "):
        Run(data, epochs=3, console=console, augment__views=0, data__max_unreadable=1)


def run_samples(data):
    return load_dataset(load_config(None, {"data.dir": str(data)}).data, 0).splits["train"]
