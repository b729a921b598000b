"""Whatever stands in a file or behind --set: a valid configuration, or one line with the key."""

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catsdogs.config import Config, config_keys
from catsdogs.config_file import assignments, load_config, parse_assignment
from catsdogs.errors import ConfigError
from catsdogs.text import printable

quick = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

scalars = st.one_of(
    st.booleans(),
    st.integers(),
    st.sampled_from([2**70, -(2**5000)]),
    st.floats(),
    st.text(),
    st.sampled_from(["\udcff", "\0", "\x1b[2J", "x" * 5000]),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.sampled_from(["auto", "max", "block5", "best", 0, 1, 0.5, [224, 224], "a.h5"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
known_keys = st.sampled_from(config_keys())
sections = st.sampled_from(["data", "augment", "model", "train", "finetune", "cache", "run"])
names = st.sampled_from([key.rpartition(".")[2] for key in config_keys()]) | st.text(max_size=8)
keys = known_keys | sections | st.text(max_size=12) | st.builds("{}.{}".format, sections, names)
trees = st.dictionaries(
    sections | st.sampled_from(["seed", "precision", "output"]) | st.text(max_size=8),
    values | st.dictionaries(names, values, max_size=4),
    max_size=4,
)


def check(load, mentioned):
    """A valid configuration comes out, or one line that names one of the keys."""
    try:
        config = load()
    except ConfigError as error:
        message = str(error)
        assert "\n" not in message
        assert "\r" not in message
        assert len(message) < 2000, message
        assert any(key in message for key in mentioned), (message, mentioned)
    else:
        assert load_config(None, {}) == Config()  # and has changed none of the defaults
        assert Config.model_validate(config.model_dump(mode="json")) == config


def leading_keys(tree):
    return [printable(key) for key in tree]


@quick
@given(trees)
def test_any_tree_of_values(tmp_path, tree):
    path = tmp_path / "any.toml"
    try:
        content = tomli_w.dumps(tree)
        content.encode()
    except (ValueError, TypeError, UnicodeEncodeError):  # not to be written as TOML at all
        return
    path.write_text(content, encoding="utf-8", newline="")
    check(lambda: load_config(path), [*leading_keys(tree), str(path)])


@quick
@given(keys, values)
def test_any_value_of_any_key(key, value):
    check(lambda: load_config(None, {key: value}), [printable(key.split(".")[0])])


@quick
@given(st.lists(st.tuples(keys, values), min_size=2, max_size=4))
def test_any_values_over_each_other(pairs):
    check(
        lambda: load_config(None, dict(pairs)), [printable(key.split(".")[0]) for key, _ in pairs]
    )


@quick
@given(st.text() | st.builds("{}={}".format, keys, st.text()))
def test_any_text_behind_set(text):
    key, equals, _ = text.partition("=")
    if not equals or not key.strip():
        with pytest.raises(ConfigError, match=r"sets no key: expected KEY=VALUE, for example "):
            parse_assignment(text)
        return
    key = key.strip()
    check(lambda: load_config(None, assignments([text])), [printable(key.split(".")[0])])


@quick
@given(st.binary() | st.builds(lambda tree: tree.encode("utf-8", "replace"), st.text()))
def test_any_bytes_in_a_file(tmp_path, content):
    path = tmp_path / "any.toml"
    path.write_bytes(content)
    check(lambda: load_config(path), [str(path), "unknown key"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"seed={'9' * 5000}",
            "seed: unable to parse input string as an integer, exceeded maximum size, got "
            f"'{'9' * 199}…",
        ),
        ("seed=2026-01-02", "seed should be a valid integer, got datetime.date(2026, 1, 2)"),
        ("data.dir=[1,\n2]", "data.dir should be a valid string, got [1, 2]"),
        (
            "seed=1\nunnoticed = 2",
            "seed should be a valid integer, unable to parse string as an integer, got "
            "'1\\nunnoticed = 2'",
        ),
        (
            "data=5",
            "data is a section: set a key inside it, for example data.dir",
        ),
        ("train..epochs=5", "unknown key train..epochs. Did you mean train.epochs?"),
        (
            "\x1b[2J.a=1",
            "unknown key \\x1b[2J. Known keys: seed, engine, precision, output, data.…, augment.…, "
            "model.…, head.…, train.…, finetune.…, unknown.…, cache.…, run.…: see docs/settings.md",
        ),
        (
            f"seed={'[' * 2000}",
            "seed should be a valid integer, unable to parse string as an integer, got "
            f"'{'[' * 199}…",
        ),
    ],
)
def test_odd_assignments_are_one_line(text, message):
    with pytest.raises(ConfigError) as caught:
        load_config(None, assignments([text]))
    assert str(caught.value) == message


def test_number_that_python_does_not_print_is_one_line():
    with pytest.raises(ConfigError) as caught:
        load_config(None, {"data.dir": 2**20000})
    assert str(caught.value) == "data.dir should be a valid string, got what is too large to show"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"seed = {'9' * 5000}", "Exceeds the limit (4300 digits) for integer string conversion"),
        (f"seed = {'[' * 5000}", "nested too deeply"),
    ],
)
def test_odd_files_are_one_line(tmp_path, content, message):
    path = tmp_path / "odd.toml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path} is not valid TOML ({message}")
