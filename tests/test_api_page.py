"""docs/api.md says what everything is that the Python API gives."""

import inspect
import re
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

import catsdogs
from catsdogs import api, errors

PAGE = (Path(__file__).parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
PUBLIC = [name for name in catsdogs.__all__ if name != "errors"]
ERRORS = [name for name, value in vars(errors).items() if inspect.isclass(value)]
ENTRIES = dict(re.findall(r"^###+ ([\w.]+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
CLASSES = {
    name: found[1]
    for name, text in ENTRIES.items()
    if (found := re.search(r"^In `(catsdogs\.[\w.]+)`\.$", text, re.MULTILINE))
}
FUNCTIONS = [
    *(f"catsdogs.{name}" for name in PUBLIC if inspect.isfunction(getattr(catsdogs, name))),
    *(f"Model.{name}" for name in vars(api.Model) if not name.startswith("_")),
    "Explanation.save",
]


def described(heading, name):
    """What an entry says of an argument or an attribute, without its type."""
    found = re.search(rf"^- `{name}` \(.*?\): (.+)$", ENTRIES[heading], re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize("name", [*PUBLIC, *ERRORS])
def test_everything_public_has_an_entry(name):
    is_function = inspect.isfunction(getattr(catsdogs, name, None))
    assert len(ENTRIES[f"catsdogs.{name}" if is_function else name]) > 30


@pytest.mark.parametrize("heading", FUNCTIONS)
def test_every_argument_is_described_and_what_comes_back(heading):
    owner, name = heading.split(".")
    function = getattr(catsdogs if owner == "catsdogs" else getattr(catsdogs, owner), name)
    signature = inspect.signature(function)
    assert signature.parameters
    for argument in set(signature.parameters) - {"self"}:
        assert len(described(heading, argument)) > 5, argument
    assert "**Raises**" in ENTRIES[heading]
    returns_nothing = signature.return_annotation in (None, "None")
    assert returns_nothing == ("**Returns**" not in ENTRIES[heading])


def test_the_classes_of_results_are_found():
    assert len(CLASSES) > 12
    assert CLASSES["TrainResult"] == "catsdogs.training.training_run"


@pytest.mark.parametrize(("name", "module"), [*CLASSES.items(), ("Prediction", "catsdogs.answers")])
def test_every_attribute_of_a_result_is_described(name, module):
    one = getattr(import_module(module), name)
    stored = [f.name for f in fields(one)] if is_dataclass(one) else list(one.model_fields)
    properties = [k for k, v in vars(one).items() if isinstance(v, property)]
    for attribute in [*stored, *(name for name in properties if not name.startswith("_"))]:
        assert len(described(name, attribute)) > 5, attribute


def test_the_classes_of_all_results_are_among_them():
    for function in (api.check, api.train, api.Model.evaluate, api.Model.export):
        returned = str(inspect.signature(function).return_annotation).strip("'")
        assert returned in CLASSES
