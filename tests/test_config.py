import re
import tomllib
from pathlib import Path

import pytest

from catsdogs.config import INPUTS, Config, ModelConfig, config_keys, differences
from catsdogs.config_file import assignments, load_config, parse_assignment
from catsdogs.errors import ConfigError
from catsdogs.network.backbones import backbone_names

CONFIGS = Path(__file__).parents[1] / "configs"


def refusal(*arguments):
    """The message of the refusal to load a configuration."""
    with pytest.raises(ConfigError) as caught:
        load_config(*arguments)
    return str(caught.value)


@pytest.fixture
def toml(tmp_path):
    """A function that writes a config file."""

    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_default_toml_is_the_defaults():
    assert load_config(CONFIGS / "default.toml") == Config()


def test_default_toml_names_every_key_in_the_order_of_definition():
    tree = tomllib.loads((CONFIGS / "default.toml").read_text(encoding="utf-8"))
    keys = []
    for name, value in tree.items():
        keys += [f"{name}.{key}" for key in value] if isinstance(value, dict) else [name]
    assert keys == config_keys()


def test_exercise_toml_differs_where_the_course_did():
    assert differences(load_config(CONFIGS / "exercise.toml")) == {
        "augment.views": 0,
        "model.image_size": (150, 150),
        "train.batch_size": 16,
        "finetune.batch_size": 16,
    }


def test_no_file_and_no_overrides_give_the_defaults():
    assert load_config(None) == Config()
    assert differences(load_config(None)) == {}


def test_overrides_win_over_the_file_and_leave_the_rest_of_its_section(toml):
    path = toml("seed = 3\n[train]\nepochs = 7\nbatch_size = 4\n")
    config = load_config(path, {"train.epochs": 9, "cache.enabled": False})
    assert differences(config) == {
        "seed": 3,
        "train.epochs": 9,
        "train.batch_size": 4,
        "cache.enabled": False,
    }


def test_unknown_key_suggests_the_nearest():
    message = "unknown key train.lerning_rate. Did you mean train.learning_rate?"
    assert refusal(None, {"train.lerning_rate": 0.1}) == message


def test_unknown_key_in_a_file_suggests_the_nearest(toml):
    message = "unknown key model.head_unit. Did you mean model.head_units?"
    assert refusal(toml("[model]\nhead_unit = 64\n")) == message


def test_unknown_last_name_suggests_the_nearest():
    assert refusal(None, {"epoch": 1}) == "unknown key epoch. Did you mean train.epochs?"


def test_unknown_top_key_suggests_the_nearest():
    assert refusal(None, {"sed": 1}) == "unknown key sed. Did you mean seed?"


def test_key_without_its_section_suggests_the_whole_key():
    assert refusal(None, {"pooling": "max"}) == "unknown key pooling. Did you mean model.pooling?"


def test_key_in_the_wrong_section_suggests_the_right_one():
    message = "unknown key train.image_size. Did you mean model.image_size?"
    assert refusal(None, {"train.image_size": [64, 64]}) == message


def test_key_near_to_none_lists_those_of_its_section():
    message = (
        "unknown key train.qqq. Known keys: train.epochs, train.batch_size, "
        "train.learning_rate, train.patience, train.keep, train.folds, "
        "train.backbones, train.backbone_photos"
    )
    assert refusal(None, {"train.qqq": 1}) == message


ALL_KEYS = (
    "seed, engine, precision, output, data.…, augment.…, model.…, head.…, train.…, finetune.…, "
    "unknown.…, cache.…, run.…: see docs/settings.md"
)


def test_unknown_section_lists_the_beginnings_of_all_keys(toml):
    message = f"unknown key colours. Known keys: {ALL_KEYS}"
    assert refusal(toml("[colours]\nred = 1\n")) == message


@pytest.mark.parametrize("wrong", ["trian.epochs", "tran.epochs", "finetun.head_epoch"])
def test_key_in_a_section_that_is_misspelled_suggests_the_whole_key(wrong):
    right = {"trian": "train.epochs", "tran": "train.epochs", "finetun": "finetune.head_epochs"}
    message = f"unknown key {wrong}. Did you mean {right[wrong.partition('.')[0]]}?"
    assert refusal(None, {wrong: 3}) == message


def test_key_below_a_value_suggests_the_value(toml):
    message = "unknown key train.epochs.first. Did you mean train.epochs?"
    assert refusal(toml("[train]\nepochs = 3\n"), {"train.epochs.first": 1}) == message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.epochs", 0, "train.epochs should be greater than or equal to 1, got 0"),
        (
            "train.epochs",
            "many",
            "train.epochs should be a valid integer, unable to parse string as an integer, "
            "got 'many'",
        ),
        ("seed", -1, "seed should be greater than or equal to 0, got -1"),
        (
            "data.validation_fraction",
            1.0,
            "data.validation_fraction should be less than 1, got 1.0",
        ),
        ("data.dir", 5, "data.dir should be a valid string, got 5"),
        (
            "train.learning_rate",
            float("nan"),
            "train.learning_rate should be a finite number, got nan",
        ),
        (
            "model.pooling",
            "avg",
            "model.pooling should be 'average', 'max' or 'flatten', got 'avg'",
        ),
        (
            "model.image_size",
            [224, 4096],
            "model.image_size should be less than or equal to 2048, got 4096",
        ),
        ("model.image_size", 224, "model.image_size should be a valid tuple, got 224"),
        (
            "output",
            "models/mine.keras",
            "output must end in .h5, for example models/mine.h5, got 'models/mine.keras'",
        ),
    ],
)
def test_bad_value_is_named_with_what_was_expected(key, value, message):
    assert refusal(None, {key: value}) == message


@pytest.mark.parametrize("size", [[224], [224, 224, 3]])
def test_image_size_of_other_than_two_numbers_gives_a_readable_sentence(size):
    message = refusal(None, {"model.image_size": size})
    assert message.startswith("model.image_size should be ")
    assert message.endswith(f", got {size}")
    assert not re.search(r"should be [A-Z]", message)


def test_value_in_place_of_a_section_names_a_key_inside(toml):
    message = "train is a section: set a key inside it, for example train.epochs"
    assert refusal(toml("train = 5\n")) == message
    assert refusal(None, {"train": 5}) == message


def test_override_inside_a_value_in_place_of_a_section_is_unknown(toml):
    message = refusal(toml("train = 5\n"), {"train.epochs": 5})
    assert message.startswith("unknown key train.epochs.")


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("train.epochs=5", ("train.epochs", 5)),
        ("train.learning_rate=1e-4", ("train.learning_rate", 1e-4)),
        ("cache.enabled=false", ("cache.enabled", False)),
        ("model.image_size=[64, 96]", ("model.image_size", [64, 96])),
        ('data.dir="my photos"', ("data.dir", "my photos")),
        ("data.dir=my photos", ("data.dir", "my photos")),
        ("model.pooling = max ", ("model.pooling", "max")),
        ("data.dir=a=b", ("data.dir", "a=b")),
        ("cache.dir=", ("cache.dir", "")),
    ],
)
def test_assignment_is_a_toml_value_or_a_bare_word(text, pair):
    assert parse_assignment(text) == pair


@pytest.mark.parametrize("text", ["train.epochs", "=5", " = 5", ""])
def test_assignment_without_key_or_equals_sign_shows_an_example(text):
    with pytest.raises(ConfigError) as caught:
        parse_assignment(text)
    message = f"{text!r} sets no key: expected KEY=VALUE, for example train.epochs=5"
    assert str(caught.value) == message


def test_later_assignment_wins():
    assert assignments(["seed=1", "seed=2", "output=a.h5"]) == {"seed": 2, "output": "a.h5"}


def test_missing_file_is_named(tmp_path):
    path = tmp_path / "nowhere.toml"
    assert refusal(path) == f"{path} does not exist: give an existing TOML file"


def test_folder_in_place_of_the_file_is_named(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path} cannot be read (a folder, not a file)"


def test_invalid_toml_is_named_with_its_place(toml):
    path = toml("[train]\nepochs 5\n")
    message = f"{path} is not valid TOML (Expected '=' after a key in a key/value pair"
    assert refusal(path) == f"{message} (at line 2, column 8))"


def test_file_in_another_encoding_is_not_valid_toml(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes('output = "Kätzchen.h5"'.encode("latin-1"))
    assert refusal(path).startswith(f"{path} is not valid TOML ('utf-8' codec can't decode")


def test_fixed_model_takes_the_place_of_the_defaults(toml):
    fixed = ModelConfig(image_size=(64, 96), head_units=8)
    config = load_config(toml("[train]\nepochs = 2\n"), None, fixed)
    assert config == Config(model=fixed, train={"epochs": 2})


def test_fixed_model_accepts_what_agrees_with_it():
    fixed = ModelConfig(image_size=(64, 96), head_units=8)
    assert load_config(None, {"model.image_size": [64, 96]}, fixed).model == fixed


def test_fixed_model_refuses_what_contradicts_it(toml):
    path = toml("[model]\nhead_units = 8\nimage_size = [150, 150]\n")
    assert refusal(path, None, ModelConfig(head_units=8)) == (
        "model.image_size is (224, 224) in the trained model and cannot become (150, 150): "
        "leave it out, or train a new model"
    )


def test_fixed_model_refuses_a_return_to_the_default():
    fixed = ModelConfig(dropout=0.25)
    assert refusal(None, {"model.dropout": 0.5}, fixed) == (
        "model.dropout is 0.25 in the trained model and cannot become 0.5: "
        "leave it out, or train a new model"
    )


@pytest.mark.parametrize(
    ("backbone", "size", "fit"),
    [("vgg16", (224, 224), "stretch"), ("efficientnet_lite1", (240, 240), "crop")],
)
def test_size_and_fit_are_the_backbones_own_unless_they_are_set(backbone, size, fit):
    model = load_config(None, {"model.backbone": backbone}).model
    assert (model.image_size, model.fit) == (size, fit)
    asked = {"model.backbone": backbone, "model.image_size": [64, 96], "model.fit": "pad"}
    model = load_config(None, asked).model
    assert (model.image_size, model.fit) == ((64, 96), "pad")


def test_every_backbone_has_a_size_and_a_fit_of_its_own():
    assert list(INPUTS) == backbone_names()


def test_truth_is_no_number(tmp_path):
    path = tmp_path / "mine.toml"
    for text in ("[train]\nepochs = true", "seed = false", "[cache]\nmax_gib = true"):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"should be a number, got (True|False)"):
            load_config(path)


def test_a_key_in_quotes_is_told_so(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('"train.epochs" = 3')
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value) == "unknown key 'train.epochs' in quotes: write it without them"


@pytest.mark.parametrize("text", ["{} = 1", "[{}]", "a = {{{} = 1}}", "'a b'.{} = 1"])
def test_a_key_of_thousands_of_parts_takes_no_time(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text.format(".".join(["a"] * 200_000)))
    with pytest.raises(ConfigError, match=r"is not valid TOML .a key has more than 100 parts"):
        load_config(path)


def test_a_text_may_have_any_number_of_points(tmp_path):
    path, text = tmp_path / "mine.toml", "a." * 500
    for quote in "\"'":
        path.write_text(f"[data]\ngroup = {quote}{text}{quote}")
        assert load_config(path).data.group == text


@pytest.mark.parametrize(
    "text",
    [
        "# " + "." * 200,
        'seed = 1  # don\'t "wait" ' + "." * 200,
        'data.group = """\n' + "./" * 200 + '\\""" """',
        "data.group = '''\n" + "./" * 200 + "'''",
    ],
    ids=["comment", "quotes in it", "text of lines", "bare text of lines"],
)
def test_comments_and_texts_of_several_lines_may_have_any_number_of_points(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text + "\ntrain.epochs = 3\n")
    assert load_config(path).train.epochs == 3


@pytest.mark.parametrize("text", ['"' + '\\"' * 20_000, '"""\\""" """', "'" * 20_001, '# """\n'])
def test_no_quote_hides_a_key_of_thousands_of_parts(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(f"{text}\n{'.'.join(['a'] * 20_000)} = 1\n")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load_config(path)
