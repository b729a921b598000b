"""`catsdogs serve`: models behind an HTTP interface, with the page."""

import importlib.util
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from catsdogs.console import Console
from catsdogs.errors import ConfigError, DataError
from catsdogs.exporting.model_writer import exported_network, page_facts
from catsdogs.exporting.page import page
from catsdogs.files import expanded, is_file
from catsdogs.model.predictor import ModelRequest, Predictor
from catsdogs.serving import PACKAGES
from catsdogs.systems import shell_word
from catsdogs.text import some_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from catsdogs.serving.served_models import ServedModel


@dataclass(frozen=True)
class ServeRequest:
    """What is served, and to whom.

    Attributes:
        models: files by name; the first answers where no name is asked for.
        host: address that is listened on.
        token: shared secret; empty: none is asked for.
        precision: as in the configuration.
        allowed_hosts: names that clients may call this machine by, besides its own.
        unknown: the share of ordinary photos that may be refused; None: what each file says.
    """

    models: Mapping[str, Path]
    host: str = "127.0.0.1"
    token: str = ""
    precision: str = "auto"
    allowed_hosts: tuple[str, ...] = ()
    unknown: float | None = None


def name_models(paths: tuple[str, ...]) -> dict[str, Path]:
    """`NAME=FILE`, or files that are named as they are called, with a `=` in it or not.

    Raises:
        ConfigError: one has no name, or two have the same.
    """
    models: dict[str, Path] = {}
    for text in paths:
        name, equals, file = text.partition("=")
        if not equals or is_file(Path(text)):
            name, file = Path(text).stem, text
        path = Path(expanded(file))  # which no shell does behind a `=`
        if not name:
            raise ConfigError(f"{text!r} gives no name: give models as NAME=FILE")
        if name in models:
            raise ConfigError(f"two models are called {name!r}: give them as NAME=FILE")
        models[name] = path
    return models


def serve(request: ServeRequest, console: Console) -> "FastAPI":
    """Open the models and make the application; the caller runs it.

    Raises:
        CatsdogsError: a package is missing, or a model cannot be opened.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"serving needs {some_of(missing)}: run `pip install {shell_word('catsdogs[serve]')}`"
        )
    from catsdogs.serving.access import Access
    from catsdogs.serving.app import create_app
    from catsdogs.serving.served_models import ServedModels

    def open_model(path: Path) -> Predictor:
        # one photo at a time, as they are asked for: the engine of `predict image.jpg`
        model = ModelRequest(path, request.precision, unknown=request.unknown)
        return Predictor(model, num_photos=1)

    models = ServedModels(request.models, open_model, console.note)
    hosts = {"127.0.0.1", "localhost", "[::1]", *map(host_name, request.allowed_hosts)}
    if request.host not in ("0.0.0.0", "::"):
        hosts.add(host_name(request.host))
    elif not request.allowed_hosts:
        hosts = {"*"}
    return create_app(models, pages(), _explained, Access(sorted(hosts), request.token))


def host_name(text: str) -> str:
    """A host as the header names it: in lower case, without a port, IPv6 in brackets."""
    name = text.lower()
    if name.count(":") > 1 and not name.startswith("["):
        return f"[{name}]"
    return re.sub(r":\d*$", "", name)


def pages() -> Callable[["ServedModel"], str]:
    """The page of a model, made once for each that is loaded, and forgotten with it."""
    made: WeakKeyDictionary[ServedModel, str] = WeakKeyDictionary()

    def page_of(served: "ServedModel") -> str:
        if served not in made:
            network = exported_network(served.path, None)
            made[served] = page(network, page_facts(served.predictor, "float16"))
        return made[served]

    return page_of


def _explained(served: "ServedModel", content: bytes) -> bytes:
    """A photo and its heat, as `catsdogs explain` draws it.

    Raises:
        DataError: the photo cannot be read.
        ConfigError: the model cannot explain.
    """
    from catsdogs.commands.explain import picture_of
    from catsdogs.model.gradcam import explain_photos

    (found,) = explain_photos(served.predictor, [content])
    if found.heat is None:
        raise DataError(found.answer.error)
    buffer = io.BytesIO()
    picture_of(found, found.heat).save(buffer, "PNG")
    return buffer.getvalue()
