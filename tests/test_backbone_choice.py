"""`model.backbone = "auto"`: the rule, and runs in which networks are compared."""

import json
import tomllib

import pytest

from catsdogs.commands.backbone_choice import backbones_to_compare
from catsdogs.config_file import load_config
from catsdogs.errors import ConfigError, WeightsError
from catsdogs.evaluation.backbone_choice import BackboneTrial, choose_trial
from catsdogs.model.metadata import read_metadata
from catsdogs.reporting.backbone_table import format_trials

TINY = ("--set=model.weights=random", "--set=precision=float32", "--set=cache.ahead=false")
TWO = "--set=train.backbones=['vgg16', 'efficientnet_lite0']"


def trial(name, multiply_adds, num_right, num_photos=1000):
    return BackboneTrial(
        name=name,
        image_size=(224, 224),
        multiply_adds=multiply_adds,
        num_right=num_right,
        num_photos=num_photos,
    )


@pytest.mark.parametrize(
    ("right", "chosen"),
    [
        ((985, 990, 991), "small"),  # a standard error of 0.991 is 0.003: 0.985 is too low ...
        ((989, 990, 991), "tiny"),  # ... and 0.989 is not
        ((900, 950, 991), "large"),
        ((991, 990, 980), "tiny"),
        ((1000, 1000, 1000), "tiny"),
        ((500, 986, 990), "large"),
        ((500, 987, 990), "small"),
    ],
)
def test_the_quickest_within_a_standard_error_of_the_best_is_chosen(right, chosen):
    work = {"tiny": 1, "small": 10, "large": 100}
    trials = [trial(n, w, r) for (n, w), r in zip(work.items(), right, strict=True)]
    assert choose_trial(trials).name == chosen
    assert choose_trial(trials[::-1]).name == chosen


def test_one_wrong_answer_of_few_photos_decides_nothing():
    trials = [trial("large", 100, 15, 15), trial("tiny", 1, 14, 15), trial("bad", 0, 9, 15)]
    assert choose_trial(trials).name == "tiny"


def test_the_table_begins_with_the_quickest_and_marks_the_chosen():
    trials = [trial("large", 15_350_000_000, 991), trial("tiny", 380_000_000, 989)]
    assert format_trials(trials, "tiny") == [
        "network  multiply-adds  photos     cross-validated, 95%, photos",
        "tiny            0.38 G  224 x 224  0.9890 (0.9804 to 0.9938, 1,000)  chosen",
        "large          15.35 G  224 x 224  0.9910 (0.9830 to 0.9953, 1,000)",
    ]


@pytest.fixture
def elsewhere(class_folders, workplace):
    return workplace


@pytest.mark.slow
def test_train_compares_takes_one_and_keeps_what_each_gave(elsewhere, call):
    size = "--set=model.image_size=[32, 32]"
    shown = call("train", "--backbone=auto", "--epochs=1", size, TWO, *TINY).stderr
    metadata = read_metadata(elsewhere / "models" / "catsdogs.h5")
    compared = {each.name: each for each in metadata.compared}
    assert list(compared) == ["vgg16", "efficientnet_lite0"]
    chosen = choose_trial(metadata.compared).name
    assert metadata.backbone == metadata.config["model"]["backbone"] == chosen
    assert [line for line in format_trials(metadata.compared, chosen) if line not in shown] == []
    (run,) = (elsewhere / "runs").iterdir()
    written = tomllib.loads((run / "config.toml").read_text())
    assert written["model"]["backbone"] == chosen
    assert written["model"]["fit"] == metadata.architecture.fit  # the network's own
    kept = json.loads((run / "backbones.json").read_text())
    assert kept == [each.model_dump(mode="json") for each in metadata.compared]
    assert compared["vgg16"].num_photos == metadata.num_photos["train"]

    # a configuration that says auto fits the model that came of it
    call("finetune", "--epochs=1", "--set=model.backbone=auto")
    tuned = read_metadata(elsewhere / "models" / "catsdogs.h5")
    assert (tuned.backbone, tuned.compared) == (chosen, metadata.compared)


@pytest.mark.slow
def test_a_sample_has_each_class_and_its_features_are_used_again(elsewhere, call):
    settings = ["--set=model.image_size=[32, 32]", "--set=train.backbones=['vgg16']", *TINY]
    shown = call(
        "train", "--backbone=auto", "--set=head.kind=logistic", *settings,
        "--set=train.backbone_photos=10",
    )  # fmt: skip
    metadata = read_metadata(elsewhere / "models" / "catsdogs.h5")
    (only,) = metadata.compared
    assert only.num_photos == min(10, metadata.num_photos["train"])
    assert f"{only.num_photos} from the cache" in shown.stderr


def test_wrong_names_and_files_of_weights_are_said_before_photos_are_read(elsewhere, call):
    refused = call("train", "--backbone=auto", "--set=train.backbones=['vgg61']", code=2)
    assert "train.backbones should hold some of vgg16, efficientnet_lite0" in refused.output
    assert "got 'vgg61'" in refused.output
    refused = call("train", "--backbone=auto", "--set=model.weights=mine.h5", code=2)
    assert "which holds the weights of one network" in refused.output
    assert "reading photos" not in refused.output


def test_without_any_weights_it_says_where_they_come_from(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WeightsError) as refusal:
        backbones_to_compare(load_config(None, {"model.backbone": "auto"}))
    assert str(refusal.value) == (
        "model.backbone is auto and no network's weights are on this machine: "
        "`catsdogs backbones` says where they come from"
    )


def test_another_network_than_the_trained_one_is_refused_all_the_same():
    fixed = load_config(None).model
    assert load_config(None, {"model.backbone": "auto"}, fixed).model == fixed
    with pytest.raises(ConfigError, match="'vgg16' in the trained model"):
        load_config(None, {"model.backbone": "mobilenet_v2"}, fixed)
