import json
import resource
import shutil

import h5py
import keras
import numpy as np
import pytest

from catsdogs.config import Config, ModelConfig
from catsdogs.errors import DataError, ModelFileError
from catsdogs.evaluation.score import Score
from catsdogs.model.metadata import Metadata, WeightsRecord, read_metadata
from catsdogs.model.model_file import load_model, open_model, save_model
from catsdogs.network.backbones.vgg16 import VGG16
from catsdogs.network.classifier import build_classifier, set_backbone_weights

CONFIG = Config(model=ModelConfig(weights="random", image_size=(32, 40), pooling="max"))
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 40, 3)).astype(np.uint8)
WAY_OUT = "train it again, or give another"
FLOAT32 = keras.DTypePolicy("float32")
BFLOAT16 = keras.DTypePolicy("mixed_bfloat16")


def metadata(class_names=("ants", "bees", "wasps")):
    return Metadata(
        class_names=class_names,
        image_size=(32, 40),
        stage="train",
        kept_epoch=2,
        config=CONFIG.model_dump(mode="json"),
        backbone="vgg16",
        weights=WeightsRecord(source="random", sha256=""),
        data_fingerprint="f" * 64,
        num_photos={"train": 8, "validation": 4},
        validation=Score(loss=0.5, accuracy=0.75, num_photos=4),
    )


def make_model(policy=FLOAT32):
    model = build_classifier(CONFIG.model, 3, policy, seed=3)
    set_backbone_weights(model, VGG16.load_weights("random"))
    return model


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("original") / "m.h5"
    save_model(path, make_model(), metadata())
    return path


@pytest.fixture
def saved(original, tmp_path):
    (tmp_path / "models").mkdir()
    return shutil.copy(original, tmp_path / "models" / "m.h5")


def test_plain_keras_opens_the_file_and_agrees(saved):
    plain = keras.models.load_model(saved, compile=False)
    expected = make_model().predict(IMAGES, verbose=0)
    np.testing.assert_allclose(plain.predict(IMAGES, verbose=0), expected, atol=1e-6)
    assert {layer.dtype_policy.name for layer in plain.layers} == {"float32"}
    assert {type(layer).__module__.split(".")[0] for layer in plain.layers} == {"keras"}


def test_model_trained_in_bfloat16_is_saved_in_float32(tmp_path):
    model = make_model(BFLOAT16)
    save_model(tmp_path / "m.h5", model, metadata())
    plain = keras.models.load_model(tmp_path / "m.h5", compile=False)
    assert {layer.dtype_policy.name for layer in plain.layers} == {"float32"}
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_saved_loads_to_the_same(saved):
    model, loaded = load_model(saved, FLOAT32)
    np.testing.assert_array_equal(
        model.predict(IMAGES, verbose=0), make_model().predict(IMAGES, verbose=0)
    )
    expected = metadata().model_copy(update={"created": loaded.created})
    assert loaded == expected


@pytest.mark.slow
def test_loading_in_bfloat16_keeps_probabilities_close(saved):
    model, _ = load_model(saved, BFLOAT16)
    assert model.get_layer("block1_conv1").compute_dtype == "bfloat16"
    np.testing.assert_allclose(
        model.predict(IMAGES, verbose=0), make_model().predict(IMAGES, verbose=0), atol=0.05
    )


def test_attribute_is_json_that_any_reader_understands(saved):
    with h5py.File(saved) as file:
        record = json.loads(file.attrs["catsdogs"])
    assert record["format_version"] == 1
    assert record["class_names"] == ["ants", "bees", "wasps"]
    assert record["image_size"] == [32, 40]
    assert record["stage"] == "train"
    assert record["config"]["model"]["pooling"] == "max"
    assert record["validation"]["num_photos"] == 4
    assert set(record["versions"]) >= {"catsdogs", "keras", "numpy", "pillow"}


def test_a_thousand_long_class_names_fit_into_the_attribute(tmp_path):
    config = CONFIG.model_copy(update={"model": ModelConfig(image_size=(32, 40), weights="random")})
    names = tuple(f"{number:04}-{'long name ' * 10}" for number in range(1000))
    model = build_classifier(config.model, 1000, FLOAT32)
    record = metadata(names).model_copy(update={"config": config.model_dump(mode="json")})
    save_model(tmp_path / "m.h5", model, record)
    assert read_metadata(tmp_path / "m.h5").class_names == names
    assert keras.models.load_model(tmp_path / "m.h5", compile=False).output.shape == (None, 1000)


def test_saving_prints_nothing_and_leaves_one_file(saved, capfd):
    save_model(saved, make_model(), metadata())
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in saved.parent.iterdir()] == ["m.h5"]


def test_failed_save_keeps_the_old_file_whole(saved):
    before = saved.read_bytes()
    with pytest.raises(ValueError, match="weight"):
        save_model(saved, build_classifier(CONFIG.model, 2, FLOAT32), metadata())
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["m.h5"]


def test_output_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "models").write_text("")
    path = tmp_path / "models" / "m.h5"
    with pytest.raises(DataError) as error:
        save_model(path, make_model(), metadata())
    assert str(error.value) == (f"{path} cannot be written (file exists): choose another place")


def rewrite(path, **changes):
    with h5py.File(path, "r+") as file:
        record = json.loads(file.attrs["catsdogs"])
        file.attrs["catsdogs"] = json.dumps({**record, **changes})


def test_missing_model_says_to_train_first(tmp_path):
    with pytest.raises(ModelFileError) as error:
        read_metadata(tmp_path / "m.h5")
    assert str(error.value) == (
        f"no model at {tmp_path / 'm.h5'}: run `catsdogs train` first, or give another"
    )


def test_hdf5_without_our_attribute_asks_for_the_classes(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(ModelFileError) as error:
        read_metadata(tmp_path / "m.h5")
    assert str(error.value) == (
        f"{tmp_path / 'm.h5'} has no attribute 'catsdogs', so its classes are not known: expected "
        "a file that `catsdogs train` wrote, or, for one of plain Keras, the names of its classes"
    )


def test_newer_format_asks_for_a_newer_catsdogs(saved):
    rewrite(saved, format_version=99)
    with pytest.raises(ModelFileError) as error:
        read_metadata(saved)
    assert str(error.value) == (
        f"{saved} has format 99, this catsdogs reads up to 1: install a newer catsdogs"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"class_names": ["one"]}, "class_names: expected two classes or more"),
        ({"class_names": ["a", "a"]}, "class_names: expected names that differ"),
        ({"class_names": ["a", ""]}, "class_names: expected a name for each class"),
        ({"class_names": ["a", 3]}, "class_names.1: Input should be a valid string"),
        ({"class_names": "ab"}, "class_names: Input should be a valid array"),
        (
            {"image_size": [64, 64]},
            "image_size differs from config.model.image_size",
        ),
        ({"stage": "stolen"}, "stage: Input should be 'train' or 'finetune'"),
        ({"format_version": 0}, "format_version: Input should be greater than or equal to 1"),
        ({"validation": None}, "validation: Input should be an object"),
        ({"config": 3}, "config: Input should be an object"),
    ],
)
def test_damaged_metadata_is_one_line(saved, changes, reason):
    rewrite(saved, **changes)
    with pytest.raises(ModelFileError) as error:
        load_model(saved, FLOAT32)
    assert str(error.value) == f"{saved} has damaged metadata ({reason}): {WAY_OUT}"


@pytest.mark.parametrize(
    "section",
    [
        {"backbone": 3},
        {"image_size": [10**9, 10**9]},
        {"image_size": [32]},
        {"head_units": 10**9},
        {"pooling": "all"},
        {"unknown": 1},
        None,
    ],
)
def test_configuration_that_makes_no_network_is_one_line(saved, section):
    rewrite(saved, config={"model": section})
    with pytest.raises(
        ModelFileError,
        match=r"has damaged metadata \(.*\): train it again, or give another$",
    ):
        load_model(saved, FLOAT32)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000, "{}"])
def test_metadata_that_are_no_record_are_one_line(saved, text):
    with h5py.File(saved, "r+") as file:
        file.attrs["catsdogs"] = text
    with pytest.raises(
        ModelFileError,
        match=r"has damaged metadata \(.*\): train it again, or give another$",
    ):
        load_model(saved, FLOAT32)


@pytest.mark.parametrize(
    "section",
    [
        {"image_size": [2048, 2048], "pooling": "flatten", "head_units": 65536},  # 512 GiB
        {"image_size": [32, 40], "head_units": 512},
        {"image_size": [32, 40], "backbone": "vgg61"},
        {"image_size": [16, 16]},
    ],
)
def test_network_that_does_not_fit_the_weights_is_never_built(saved, section):
    rewrite(saved, config={"model": section}, image_size=section["image_size"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelFileError, match="is damaged") as error:
        load_model(saved, FLOAT32)
    assert len(str(error.value).splitlines()) == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 * 1024  # KiB


def test_keys_of_other_versions_in_other_sections_do_no_harm(saved):
    config = metadata().config
    rewrite(saved, config={**config, "train": {"gone": 1}, "new_section": {}}, new_fact=2)
    assert load_model(saved, FLOAT32)[1].architecture == CONFIG.model


def test_classes_that_do_not_match_the_weights_are_refused(saved):
    rewrite(saved, class_names=["a", "b"])
    with pytest.raises(ModelFileError) as error:
        load_model(saved, FLOAT32)
    assert str(error.value) == (
        f"{saved} is damaged (it names 2 classes and has 3 outputs): {WAY_OUT}"
    )


def test_weights_that_are_no_numbers_are_refused(saved):
    with h5py.File(saved, "r+") as file:
        file["model_weights/dense/dense/kernel"][0, 0] = np.nan
    with pytest.raises(ModelFileError) as error:
        load_model(saved, FLOAT32)
    assert str(error.value) == (
        f"{saved} is damaged (/model_weights/dense/dense/kernel holds values that are no "
        f"numbers, NaN or infinite): {WAY_OUT}"
    )


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.5, 0.999])
def test_truncated_file_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelFileError, match="is empty" if not share else "damaged"):
        load_model(saved, FLOAT32)


def test_our_file_takes_no_other_classes(saved):
    with pytest.raises(ModelFileError) as error:
        open_model(saved, FLOAT32, ["bees", "ants", "wasps"])
    assert str(error.value) == (
        f"{saved} has the classes ants, bees, wasps, not bees, ants, wasps: "
        "name these in this order"
    )


def test_our_file_takes_its_own_classes(saved):
    opened = open_model(saved, FLOAT32, ["ants", "bees", "wasps"])
    assert opened.class_names == opened.metadata.class_names == ("ants", "bees", "wasps")
    assert opened.image_size == (32, 40)


def test_file_whose_metadata_are_lost_opens_with_its_classes(saved):
    expected = make_model().predict(IMAGES, verbose=0)
    with h5py.File(saved, "r+") as file:
        del file.attrs["catsdogs"]
    opened = open_model(saved, FLOAT32, ["ants", "bees", "wasps"])
    assert opened.metadata is None
    np.testing.assert_allclose(opened.model.predict(IMAGES, verbose=0), expected, atol=1e-6)
