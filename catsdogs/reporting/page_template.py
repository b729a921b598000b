"""What the pages have in common: their templates escape all text, and say things alike."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from catsdogs.logo import logo_uri
from catsdogs.text import printable


def page_environment() -> jinja2.Environment:
    """Templates of this folder; whatever stands in them is escaped and printable.

    Filters: `count` (2,000), `sure` (a model's own probability), `time`; `name` of a class and
    `path`, which break behind an underscore or a slash where they have to, and whose direction of
    writing turns nothing around them.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
    )
    filters: dict[str, Callable[..., str]] = {
        "count": lambda number: f"{number:,}",
        "sure": _format_probability,
        "time": format_time,
        "name": _format_name,
        "path": lambda path: Markup("/<wbr>").join(map(_format_name, str(path).split("/"))),
    }
    environment.filters |= filters
    environment.globals["icon"] = logo_uri()
    return environment


def _finalize(value: Any) -> Any:
    """Every text on the page passes here: no name can hide or turn around what follows it."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value


def _format_name(name: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(Markup("_<wbr>").join(printable(name).split("_")))


def _format_probability(probability: float) -> str:
    """A model's own probability, of which more digits mean nothing."""
    return "over 99.9%" if probability > 0.999 else f"{probability:.1%}"


def format_time(moment: datetime.datetime | str) -> str:
    """`25 November 2026, 10:15`, in local time; a text that is no ISO 8601 stays as it is."""
    if isinstance(moment, str):
        try:
            moment = datetime.datetime.fromisoformat(moment).astimezone()
        except (ValueError, OverflowError, OSError):  # the last two: at an end of the calendar
            return str(moment)
    local = moment.astimezone()
    return f"{local.day} {local:%B %Y, %H:%M}"
