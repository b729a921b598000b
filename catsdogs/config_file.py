"""The configuration as users write it: TOML files, and single values laid over them.

Whatever is wrong is one line with the whole key, what it should be, and the key that was meant.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from catsdogs.config import AUTO_BACKBONE, Config, ModelConfig, config_keys, flatten
from catsdogs.errors import ConfigError, DataError
from catsdogs.files import exists
from catsdogs.text import MOST_SHOWN, printable, shown_value
from catsdogs.untrusted.boundary import foreign_bytes
from catsdogs.untrusted.records import read_text

_MOST_PARTS = 100
_NO_KEY = re.compile(
    r""""{3}(?:[^\\]|\\.)*?(?:"{3}|\Z)|'{3}.*?(?:'{3}|\Z)"""  # of several lines
    r"""|"(?:[^"\\\n]|\\[^\n])*"?|'[^'\n]*'?|\#[^\n]*""",
    re.DOTALL,
)
"""Texts and comments of a TOML file, which may have any number of dots."""


def load_config(
    path: Path | None,
    overrides: Mapping[str, Any] | None = None,
    fixed_model: ModelConfig | None = None,
) -> Config:
    """Read a TOML file and lay single values over it.

    Args:
        path: the file, or None for the defaults alone.
        overrides: whole keys to values, such as `{"train.epochs": 5}`, laid over the file.
        fixed_model: the `model` section of an existing model, which takes the place of the
            file's; None for a new model.

    Raises:
        ConfigError: the file cannot be read, or a key or value is wrong or contradicts
            `fixed_model`; names the whole key.
    """
    tree: dict[str, Any] = {}
    if path is not None:
        if not exists(path):
            raise ConfigError(
                f"{path} does not exist: give an existing TOML file", key="config_path"
            )
        with foreign_bytes(path, ConfigError, damage="is not valid TOML"):
            tree = _parse(read_text(path))
    for key, value in (overrides or {}).items():
        _lay_over(tree, key, value)
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_explain(error, tree)) from None
    return config if fixed_model is None else _with_model(config, fixed_model)


def settled_config(
    command: str,
    data: str | Path | None,
    config: Config | str | Path | None,
    settings: Mapping[str, Any],
    fixed_model: ModelConfig | None = None,
) -> Config:
    """The configuration of a training by a program: `config`, then the settings, then the folder.

    Args:
        command: `train` or `finetune`, the section whose keys may be given by their last name.
        data: the folder of photos; None: as configured.
        config: all settings, or the path of a TOML file; None: the defaults.
        settings: whole keys, sections, or last names, to values.
        fixed_model: as `load_config` takes it.

    Raises:
        ConfigError: a key or a value is wrong.
    """
    known = set(config_keys())
    overrides: dict[str, Any] = {}
    path = None
    if isinstance(config, Config):
        # what stands at its default may give way to the model's own
        overrides |= {k: v for k, v in flatten(config).items() if v != flatten(Config())[k]}
    elif config is not None:
        path = Path(config)
    for name, value in settings.items():
        if isinstance(value, Mapping):
            overrides |= {f"{name}.{key}": inner for key, inner in value.items()}
        elif name not in known and f"{command}.{name}" in known:
            overrides[f"{command}.{name}"] = value
        elif name == "subsample":
            overrides["data.subsample"] = value
        else:
            overrides[name] = value
    if data is not None:
        overrides["data.dir"] = data
    texts = {
        key: str(value) if isinstance(value, Path) else value for key, value in overrides.items()
    }
    return load_config(path, texts, fixed_model)


def _with_model(config: Config, fixed: ModelConfig) -> Config:
    for key in sorted(config.model.model_fields_set):
        wanted, is_set = getattr(config.model, key), getattr(fixed, key)
        if wanted != is_set and (key, wanted) != ("backbone", AUTO_BACKBONE):
            raise ConfigError(
                f"model.{key} is {is_set!r} in the trained model and cannot become {wanted!r}: "
                "leave it out, or train a new model"
            )
    return config.model_copy(update={"model": fixed})


def _parse(text: str) -> dict[str, Any]:
    """What a TOML text says.

    Raises:
        ValueError: it is no TOML, or has a key so long that `tomllib`, whose time goes with the
            square of its parts, would take minutes.
    """
    if text.count(".") > _MOST_PARTS:
        lines = _NO_KEY.sub("", text).splitlines()
        if any(line.count(".") > _MOST_PARTS for line in lines):
            raise ValueError(f"a key has more than {_MOST_PARTS} parts")
    return tomllib.loads(text)


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split `train.epochs=5` into a key and a TOML value; an unquoted word is a string.

    Raises:
        ConfigError: there is no `=` or no key.
    """
    key, equals, raw = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(
            f"{shown_value(text)} sets no key: expected KEY=VALUE, for example train.epochs=5"
        )
    with suppress(DataError), foreign_bytes(key):
        tree = _parse(f"value = {raw}")
        return key, tree["value"] if len(tree) == 1 else raw.strip()
    return key, raw.strip()


def assignments(pairs: Iterable[str]) -> dict[str, Any]:
    """Parse several `KEY=VALUE` texts; a later one wins over an earlier one."""
    return dict(parse_assignment(pair) for pair in pairs)


def _lay_over(tree: dict[str, Any], key: str, value: Any) -> None:
    *sections, name = key.split(".")
    if not all(sections) or not name:
        raise ConfigError(_unknown_key(key))
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(_unknown_key(key))
    tree[name] = value


def _explain(error: ValidationError, tree: dict[str, Any]) -> str:
    """The first problem in one line, with its whole key and the way out."""
    problem = error.errors(include_url=False)[0]
    key = _named(".".join(str(part) for part in problem["loc"] if isinstance(part, str)))
    if problem["type"] == "extra_forbidden":
        if key in config_keys():
            return f"unknown key '{key}' in quotes: write it without them"
        return _unknown_key(key, problem["input"])
    if problem["type"] in ("model_type", "model_attributes_type"):
        return f"{key} is a section: set a key inside it, for example {_key_inside(key)}"
    if not key:  # raised by a validator of the whole configuration, which names its key
        return printable(str(problem["ctx"]["error"]))
    if key == "model.image_size" and problem["type"] in ("missing", "too_long"):
        size = tree["model"]["image_size"]
        return (
            f"{key} should be a height and a width, for example [224, 224], got {shown_value(size)}"
        )
    message = problem["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    if message[0].isupper():  # a sentence of its own
        return f"{key}: {message[0].lower()}{message[1:]}, got {shown_value(problem['input'])}"
    return f"{key} should be {message}, got {shown_value(problem['input'])}"


def _key_inside(section: str) -> str:
    return next((key for key in config_keys() if key.startswith(f"{section}.")), "seed")


def _named(key: str) -> str:
    """A key in one line, however it was spelled."""
    text = printable(key)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _unknown_key(key: str, value: Any = None) -> str:
    """What is wrong with a key, and the known one that was probably meant.

    Args:
        key: with its sections, as far as they were gone through.
        value: what it was set to; of an unknown section its keys.
    """
    known = config_keys()
    key = _named(key)
    section, _, name = key.rpartition(".")
    in_section = [k for k in known if section and k.startswith(f"{section}.")]
    elsewhere = [k for k in known if k.rpartition(".")[2] == name]
    names = {k.rpartition(".")[2]: k for k in in_section}
    near = elsewhere or [names[n] for n in difflib.get_close_matches(name, names, n=1)]
    near = near or difflib.get_close_matches(key, known, n=1, cutoff=0.8)
    if not near and not section:  # `epoch`: a last name, the first one of those that have it
        last_names = {k.rpartition(".")[2]: k for k in reversed(known)}
        near = [last_names[n] for n in difflib.get_close_matches(key, last_names, n=1, cutoff=0.8)]
    if not near and isinstance(value, dict) and value:  # `trian.epochs`: the section was meant
        whole = _named(f"{key}.{next(iter(value))}")
        near = difflib.get_close_matches(whole, known, n=1, cutoff=0.8)
        key = whole if near else key
    if near:
        return f"unknown key {key}. Did you mean {near[0]}?"
    if in_section:
        return f"unknown key {key}. Known keys: {', '.join(in_section)}"
    beginnings = dict.fromkeys(f"{k.partition('.')[0]}.…" if "." in k else k for k in known)
    return f"unknown key {key}. Known keys: {', '.join(beginnings)}: see docs/settings.md"
