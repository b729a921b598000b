import json
import re

import pytest

from catsdogs.commands.compare import mcnemar_p_value
from tests.conftest import BLUISH, REDDISH


@pytest.fixture
def folder(tmp_path, make_tiny_model, make_photos, monkeypatch):
    """A model that is right, one that is wrong, and 8 photos; one of them cannot be read."""
    monkeypatch.chdir(tmp_path)
    make_tiny_model(tmp_path / "right.h5")
    make_tiny_model(tmp_path / "wrong.h5", sureness=-4.0)
    make_photos(tmp_path / "data" / "test" / "cats", 3, 1, REDDISH)
    make_photos(tmp_path / "data" / "test" / "dogs", 4, 2, BLUISH)
    (tmp_path / "data" / "test" / "dogs" / "bad.jpg").write_bytes(b"no picture")
    return tmp_path


def test_the_better_model_is_named(folder, call):
    result = call("compare", "wrong.h5", "right.h5", "--precision", "float32")
    lines = result.stdout.splitlines()
    assert lines[0] == "data/test: 7 photos, 1 more could not be read"
    heads = [re.sub(r"log loss \d\.\d{4}", "log loss", line) for line in lines[2:4]]
    assert heads == [
        "A  accuracy 0.0000  95% interval 0.0000 to 0.3543  log loss  wrong.h5",
        "B  accuracy 1.0000  95% interval 0.6457 to 1.0000  log loss  right.h5",
    ]
    assert lines[4:] == [
        "",
        "both right     0",
        "only A right   0",
        "only B right   7",
        "neither right  0",
        "",
        "B is better (exact McNemar test, p = 0.016, below 0.05)",
    ]
    assert result.stderr.splitlines() == [
        "warning: data/test/dogs/bad.jpg is not counted: not a picture, or damaged at its start",
    ]


def test_the_order_of_the_models_does_not_matter(folder, call):
    lines = call("compare", "right.h5", "wrong.h5").stdout.splitlines()
    assert lines[-1] == "A is better (exact McNemar test, p = 0.016, below 0.05)"


@pytest.mark.parametrize(
    ("models", "code"),
    [(("wrong.h5", "right.h5"), 0), (("right.h5", "right.h5"), 0), (("right.h5", "wrong.h5"), 1)],
)
def test_a_worse_model_fails_where_it_must_not_be_worse(folder, call, models, code):
    result = call("compare", *models, "--fail-if-worse", code=code)
    message = "wrong.h5 is worse than right.h5: --fail-if-worse"
    assert (result.stderr.splitlines()[-1] == message) == (code == 1)


def test_photos_that_a_model_was_trained_on_tell_of_no_better_one(folder, call):
    (folder / "data" / "test").rename(folder / "data" / "train")
    arguments = ("compare", "wrong.h5", "right.h5", "data/train")
    result = call(*arguments, "--fail-if-worse", code=1)
    assert result.stdout.splitlines()[-2:] == [
        "B is better (exact McNemar test, p = 0.016, below 0.05)",
        "on photos that a model was trained on, which says nothing about others",
    ]
    assert result.stderr.splitlines()[-1] == (
        "a model was trained on data/train, so that --fail-if-worse can tell nothing: "
        "give photos that neither has seen"
    )
    assert json.loads(call(*arguments, "--format", "json").stdout)["trained_on"] is True


def test_a_model_does_not_differ_from_itself(folder, call):
    shown = json.loads(call("compare", "right.h5", "right.h5", "--format", "json").stdout)
    assert shown["a"] == shown["b"]
    assert shown["a"]["num_correct"] == shown["both_right"] == shown["num_photos"] == 7
    assert (shown["only_a_right"], shown["only_b_right"], shown["neither_right"]) == (0, 0, 0)
    assert shown["p_value"] == 1
    assert shown["verdict"] == (
        "no difference that 7 photos can show (exact McNemar test, p = 1, not below 0.05)"
    )
    assert shown["unreadable"] == [
        {"path": "data/test/dogs/bad.jpg", "error": "not a picture, or damaged at its start"}
    ]


def test_few_photos_can_show_no_difference(folder, call):
    for path in [*(folder / "data" / "test").glob("*/*1.png")]:
        path.unlink()
    verdict = call("compare", "wrong.h5", "right.h5").stdout.splitlines()[-1]
    assert verdict == (
        "no difference that 5 photos can show (exact McNemar test, p = 0.062, not below 0.05)"
    )


def test_models_of_another_order_of_classes_and_another_image_size(folder, call, make_tiny_model):
    make_tiny_model(
        folder / "other.h5", class_names=("dogs", "cats"), image_size=(32, 48), sureness=-4
    )
    shown = json.loads(call("compare", "right.h5", "other.h5", "--format", "json").stdout)
    assert shown["class_names"] == ["cats", "dogs"]
    assert shown["both_right"] == 7  # wrong about swapped names is right


def test_models_of_different_classes_are_an_error_that_names_both(folder, call, make_tiny_model):
    make_tiny_model(folder / "other.h5", class_names=("cats", "owls"))
    result = call("compare", "right.h5", "other.h5", code=1)
    assert result.stderr == (
        "error: right.h5 knows cats, dogs, other.h5 knows cats, owls: "
        "expected two models of the same classes\n"
    )


# Tails of the binomial distribution with p = 1/2, worked by hand.
@pytest.mark.parametrize(
    ("num_only_a", "num_only_b", "expected"),
    [
        (0, 0, 1),
        (3, 3, 1),
        (0, 1, 1),
        (1, 0, 1),
        (0, 5, 2 / 32),
        (6, 0, 2 / 64),
        (1, 8, 2 * (1 + 9) / 512),
        (2, 11, 2 * (1 + 13 + 78) / 8192),
    ],
)
def test_mcnemar_is_exact(num_only_a, num_only_b, expected):
    assert mcnemar_p_value(num_only_a, num_only_b) == pytest.approx(expected, rel=1e-12)
