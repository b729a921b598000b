"""docs/api.md: the Python API from its docstrings, read by griffe without importing anything.

What `catsdogs.__all__` names is on it, and all that can be reached from there: the class of every
result, of its attributes, and every named type. What has no description is a fault of a docstring,
and an error here.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from griffe import DocstringSectionKind as Kind

ROOT = Path(__file__).parent.parent

_TOP = """# Python API reference

Every function, class and error of the Python API, written from the docstrings by `make docs-pages`
and held to the code by a test. [The Python API](python-api.md) shows how they are used.

`import catsdogs` gives what is called `catsdogs.…` here, and `catsdogs.errors`. The classes of
results are listed by the names that type checkers know them by; no program has to make one.
"""

_TEXTS = {
    "Functions": "Each does what the command of its name does, and raises what that would print.",
    "Errors": "All that `catsdogs.errors` names. Some that are raised are of a more special kind\n"
    "still, as a `TooLargeError` is a `DataError`.",
}


def api_page() -> str:
    """The whole page."""
    package = griffe.load(
        "catsdogs",
        search_paths=[ROOT],
        docstring_parser="google",
        docstring_options={"returns_multiple_items": False, "returns_named_value": False},
    )
    groups = _groups(package)
    links = {
        one.path: f"[`{one.name}`](#{_slug(_heading(one))})"
        for found in groups.values()
        for one in found
    }
    for key in _attributes(package["config.Config"]):
        if key.annotation.canonical_path.startswith("catsdogs.config."):  # a section
            links[key.annotation.canonical_path] = f"[`{key.annotation}`](settings.md#{key.name})"
    links["catsdogs.config.PathText"] = "`str`"
    links["catsdogs.config.GivenPath"] = "`str`"
    parts = [_TOP]
    for title, found in groups.items():
        parts.append(f"## {title}\n")
        if title in _TEXTS:
            parts.append(f"{_TEXTS[title]}\n")
        for one in found:
            parts += _Entry(one, links).lines()
    return "\n".join(parts).rstrip() + "\n"


def _groups(package: griffe.Module) -> dict[str, list[Any]]:
    """What has an entry, by the heading above it."""
    public = [package[str(name).strip("'")] for name in package.exports or ()]
    public = [one.final_target if one.is_alias else one for one in public]
    functions = sorted((one for one in public if one.is_function), key=lambda one: one.lineno)
    answers = [package["api.Model"], package["answers.Prediction"], package["answers.Explanation"]]
    results: list[Any] = []
    types = [package["config.Config"]]
    shown = [*functions, *answers]
    for one in [*functions, *answers]:
        for other in _reached(package, one, shown):
            (results if other.is_class else types).append(other)
    errors = package["errors"]
    if missing := {one.path for one in public} - {one.path for one in [*shown, *types, errors]}:
        raise ValueError(f"public, and on no list here: {sorted(missing)}")
    return {
        "Functions": functions,
        "A model and its answers": answers,
        "Results": results,
        "Settings and types": types,
        "Errors": list(errors.classes.values()),
    }


def _reached(package: griffe.Module, one: Any, shown: list[Any]) -> Iterator[Any]:
    """What its annotations name and nothing has shown yet, each followed by what it names."""
    for annotation in _annotations(one):
        for name in annotation.iterate(flat=True):
            path = name.canonical_path if isinstance(name, griffe.ExprName) else ""
            if not path.startswith("catsdogs.") or path.startswith("catsdogs.config."):
                continue
            other = package[path.removeprefix("catsdogs.")]
            if other not in shown:
                shown.append(other)
                yield other
                yield from _reached(package, other, shown)


def _annotations(one: Any) -> Iterator[griffe.Expr]:
    found = []
    if one.is_function:
        found = [one.returns, *(parameter.annotation for parameter in one.parameters)]
    elif one.is_class:
        found = [member.annotation for member in _attributes(one)]
        for method in _methods(one):
            yield from _annotations(method)
    yield from (annotation for annotation in found if isinstance(annotation, griffe.Expr))


def _attributes(one: griffe.Class) -> list[Any]:
    """Public fields and properties, in the order of the code."""
    members = [member for member in one.members.values() if member.is_attribute]
    return [m for m in members if not m.name.startswith("_") and m.name != "model_config"]


def _methods(one: griffe.Class) -> list[Any]:
    members = [member for member in one.members.values() if member.is_function]
    return [member for member in members if not member.name.startswith("_")]


class _Entry:
    """What the page says of one function, class, error or type.

    Args:
        one: what griffe knows of it.
        links: Markdown that leads to what has an entry, by its path.
        level: of its heading.
    """

    def __init__(self, one: Any, links: dict[str, str], level: int = 3) -> None:
        self._one, self._links, self._level = one, links, level
        if one.docstring is None:
            raise ValueError(f"{one.path} has no docstring")
        self._parsed = one.docstring.parsed

    def lines(self) -> list[str]:
        """Paragraphs and lists, in Markdown."""
        one = self._one
        lines = [f"{'#' * self._level} {_heading(one)}\n"]
        if one.is_function:
            lines.append(f"```python\n{_signatures(one)}\n```\n")
        elif one.is_attribute:
            lines.append(f"```python\n{one.name} = {_quoted(one.value)}\n```\n")
        lines += [f"{_as_markdown(s.value)}\n" for s in self._parsed if s.kind is Kind.text]
        if one.is_class:
            lines += self._of_a_class()
        elif one.is_function:
            lines += self._of_a_function()
        return lines

    def _of_a_function(self) -> list[str]:
        one, lines = self._one, []
        described = {item.name: item.description for item in self._section(Kind.parameters)}
        items = [
            self._item(
                parameter.name,
                parameter.annotation,
                described.get(parameter.name),
                None if _is_variable(parameter) else parameter.default,
            )
            for parameter in one.parameters
            if parameter.name != "self"
        ]
        if items:
            lines += ["**Arguments**\n", *items, ""]
        if str(one.returns) != "None":
            (returned,) = self._section(Kind.returns)
            lines.append(
                f"**Returns** {self._type(one.returns)}: {_one_line(returned.description)}\n"
            )
        if raised := self._section(Kind.raises):
            lines.append("**Raises**\n")
            for item in raised:
                link = self._links[f"catsdogs.errors.{item.annotation}"]
                lines.append(f"- {link}: {_one_line(item.description)}")
            lines.append("")
        return lines

    def _of_a_class(self) -> list[str]:
        one, lines = self._one, []
        is_error = one.name.endswith("Error")
        if is_error and one.bases[0].canonical_path in self._links:
            lines.append(f"A kind of {self._links[one.bases[0].canonical_path]}.\n")
        elif not is_error and one.parent.name not in ("api", "answers", "config"):
            lines.append(f"In `{one.parent.path}`.\n")
        listed = {item.name: item.description for item in self._section(Kind.attributes)}
        items = []
        for member in _attributes(one):
            if is_error and member.name == "exit_code" and not listed:
                continue  # the first error of all says what it is
            text = listed.get(member.name) or (member.docstring and member.docstring.value)
            if not text and one.name == "Config":
                text = one.parent[str(member.annotation)].docstring.value
            items.append(self._item(member.name, member.annotation, text))
        if items:
            lines += ["**Attributes**\n", *items, ""]
        for method in _methods(one):
            lines += _Entry(method, self._links, self._level + 1).lines()
        return lines

    def _section(self, kind: Kind) -> list[Any]:
        return next((section.value for section in self._parsed if section.kind is kind), [])

    def _item(self, name: str, annotation: Any, text: str | None, default: Any = None) -> str:
        if not text or annotation is None:
            raise ValueError(f"{self._one.path}: nothing says what {name} is")
        by_default = "" if default is None else f", by default `{_quoted(default)}`"
        return f"- `{name}` ({self._type(annotation)}{by_default}): {_one_line(text)}"

    def _type(self, annotation: Any) -> str:
        """A type, which leads to the entries of the classes in it."""
        found = ""
        for part in annotation.iterate(flat=True):
            path = part.canonical_path if isinstance(part, griffe.ExprName) else ""
            found += self._links.get(path, f"`{_quoted(part)}`")
        return found.replace("``", "")  # neighbours, which share their quotes


def _heading(one: Any) -> str:
    if not one.is_function:
        return one.name
    return f"{'catsdogs' if one.parent.is_module else one.parent.name}.{one.name}"


def _slug(heading: str) -> str:
    return heading.lower().replace(".", "")


def _signatures(one: Any) -> str:
    overloads = one.parent.overloads.get(one.name) if one.parent.is_class else None
    return "\n\n".join(_signature(each) for each in overloads or [one])


def _signature(one: Any) -> str:
    owner = "catsdogs" if one.parent.is_module else one.parent.name.lower()
    parameters = list(_parameters(one))
    line = f"{owner}.{one.name}({', '.join(parameters)}) -> {one.returns}"
    if len(line) <= 80:
        return line
    inside = textwrap.indent(",\n".join(parameters), "    ")
    return f"{owner}.{one.name}(\n{inside},\n) -> {one.returns}"


def _parameters(one: Any) -> Iterator[str]:
    is_after_star = False
    for parameter in one.parameters:
        if parameter.name == "self":
            continue
        if parameter.kind is griffe.ParameterKind.keyword_only and not is_after_star:
            is_after_star = True
            yield "*"
        if _is_variable(parameter):
            yield f"**{parameter.name}: {parameter.annotation}"
        else:
            default = "" if parameter.default is None else f" = {_quoted(parameter.default)}"
            yield f"{parameter.name}: {parameter.annotation}{default}"


def _quoted(default: object) -> str:
    return str(default).replace("'", '"')


def _is_variable(parameter: griffe.Parameter) -> bool:
    return parameter.kind is griffe.ParameterKind.var_keyword


def linked(text: str) -> str:
    """Lead to the pages that a docstring names as files."""
    return re.sub(r"`?docs/([a-z-]+)\.md`?", r"[\1](\1.md)", text)


def _one_line(text: str) -> str:
    """A description as part of a sentence: a property's begins with a capital."""
    line = linked(" ".join(text.split()))
    return line[0].lower() + line[1:] if line[1:2].islower() else line


def _as_markdown(text: str) -> str:
    """Text as it is, examples as code: Markdown takes `>>>` for quotations."""
    blocks = text.split("\n\n")
    return "\n\n".join(f"```pycon\n{b}\n```" if b.startswith(">>>") else linked(b) for b in blocks)
