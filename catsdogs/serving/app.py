"""The HTTP interface: photos in, answers out; nothing is written, nothing is kept."""

import asyncio
import hmac
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from catsdogs import __version__
from catsdogs.errors import DataError
from catsdogs.serving.served_models import ServedModel, ServedModels
from catsdogs.serving.waiting_line import LineFull, WaitingLine

_RETRY_SECONDS = 1


@dataclass(frozen=True)
class Limits:
    """What a request may ask for.

    Attributes:
        max_bytes: of a request's body.
        max_photos: in a request.
        timeout_seconds: from a request's arrival to its answer.
        waiting: photos in line for the network; one more is answered with 503.
    """

    max_bytes: int = 64 * 2**20
    max_photos: int = 64
    timeout_seconds: float = 60.0
    waiting: int = 256


@dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        hosts: names that the Host header may have, `*` for any; a page that resolves its own name
            to this machine has another one.
        token: what `Authorization: Bearer` must hold; empty: nothing.
    """

    hosts: Sequence[str] = ("127.0.0.1", "localhost", "[::1]")
    token: str = field(default="", repr=False)

    def admits(self, host: str) -> bool:
        """Whether a Host header, with or without a port, names this machine."""
        name = host if host.endswith("]") else re.sub(r":\d*$", "", host)
        return "*" in self.hosts or name.lower() in self.hosts


class Answer(BaseModel):
    """The answer for one photo.

    Attributes:
        name: of the file, as it was sent; empty for a bare body.
        class_name: the most probable class; None where the photo could not be read.
        probabilities: by class name, the most probable first.
        error: why the photo could not be read; None otherwise.
    """

    name: str
    class_name: str | None
    probabilities: dict[str, float]
    error: str | None = None


class Answers(BaseModel):
    """Answers in the order of the photos, and the model that gave them."""

    model: str
    answers: list[Answer]


class Problem(BaseModel):
    """Why a request has no answer, in a line."""

    error: str


class ModelFacts(BaseModel):
    """What a model is."""

    name: str
    class_names: list[str]
    image_size: list[int]
    loaded: str
    metadata: dict[str, Any] | None


class Health(BaseModel):
    """Whether it answers, and how busy it is."""

    status: str
    models: list[str]
    waiting: int
    answered: int


_Name = Annotated[str | None, Query(description="Which model; the first one by default.")]

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text}
    for code, text in {
        400: "The request cannot be understood, or no photo in it can be read.",
        401: "The token is missing or wrong.",
        404: "There is no model of this name.",
        413: "The request is larger than is taken.",
        503: "Too many photos wait already: try again after `Retry-After` seconds.",
        504: "It took too long.",
    }.items()
}


def create_app(
    models: ServedModels,
    page: Callable[[ServedModel], str] | None = None,
    access: Access = Access(),
    limits: Limits = Limits(),
) -> FastAPI:
    """Make the application.

    Args:
        models: what answers.
        page: gives the HTML page of a model; None: there is no page.
        access: who may ask.
        limits: what a request may ask for.
    """
    line = WaitingLine(limits.waiting)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        line.start()
        models.start()
        yield
        models.stop()
        await line.stop()

    app = FastAPI(
        title="catsdogs",
        version=__version__,
        summary="Photos in, classes out.",
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere: ours stand below
        redoc_url=None,
        lifespan=lifespan,
    )

    @app.exception_handler(HTTPException)
    async def in_one_line(_: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail), error.headers)

    @app.middleware("http")
    async def guarded(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        if not access.admits(request.headers.get("host", "")):
            return _problem(
                400, "the Host header names another machine: allow its name when serving"
            )
        if access.token and request.url.path != "/health":
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {access.token}".encode()):
                return _problem(401, "expected the header Authorization: Bearer TOKEN")
        try:
            async with asyncio.timeout(limits.timeout_seconds):
                response = await call(request)
        except TimeoutError:
            return _problem(504, f"no answer within {limits.timeout_seconds:g} seconds")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    def find(name: str | None) -> ServedModel:
        model = models.get(name)
        if model is None:
            known = ", ".join(served.name for served in models)
            raise HTTPException(404, f"there is no model {name!r}: expected one of {known}")
        return model

    @app.post("/predict", responses=_PROBLEMS, openapi_extra=_TAKES_PHOTOS)
    async def predict(request: Request, model: _Name = None) -> Answers:
        """Name what is in photos: files of a multipart form, or one as the bare body."""
        served = find(model)
        photos = await _photos(request, limits)
        predictor = served.predictor
        decoded = await asyncio.gather(
            *(run_in_threadpool(_decoded, predictor, content) for _, content in photos)
        )
        readable = [pixels for pixels in decoded if not isinstance(pixels, str)]
        try:
            rows = iter(await line.ask(predictor.probabilities, readable) if readable else [])
        except LineFull:
            raise HTTPException(
                503, "too many photos are waiting", {"Retry-After": str(_RETRY_SECONDS)}
            ) from None
        answers = [
            _failed(name, pixels) if isinstance(pixels, str) else _answer(name, served, next(rows))
            for (name, _), pixels in zip(photos, decoded, strict=True)
        ]
        if len(answers) == 1 and answers[0].error:
            raise HTTPException(400, answers[0].error)
        return Answers(model=served.name, answers=answers)

    @app.get("/model", responses={404: _PROBLEMS[404]})
    async def model_facts(model: _Name = None) -> ModelFacts:
        """What a model is: its classes, its size, what its file says about itself."""
        served = find(model)
        metadata = served.predictor.metadata
        return ModelFacts(
            name=served.name,
            class_names=list(served.predictor.class_names),
            image_size=list(served.predictor.image_size),
            loaded=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(served.loaded)),
            metadata=metadata.model_dump(mode="json", exclude={"config"}) if metadata else None,
        )

    @app.get("/health")
    async def health() -> Health:
        """Whether it answers. Needs no token."""
        return Health(
            status="ok",
            models=[served.name for served in models],
            waiting=line.num_waiting,
            answered=line.num_answered,
        )

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs() -> str:
        return _documentation(app.openapi())

    if page is not None:

        @app.get("/", response_class=HTMLResponse, include_in_schema=False)
        async def index(model: _Name = None) -> str:
            return await run_in_threadpool(page, find(model))

    return app


_TAKES_PHOTOS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "photos": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                    "required": ["photos"],
                }
            },
        },
    }
}


def _problem(status: int, text: str, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": text}, status, headers)


async def _photos(request: Request, limits: Limits) -> list[tuple[str, bytes]]:
    """Names and contents of the photos in a request, no more of either than is allowed."""
    too_large = HTTPException(
        413, f"a request may have {limits.max_bytes // 2**20} MiB: send fewer or smaller photos"
    )
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 15:
        raise HTTPException(400, "Content-Length is no number of bytes")
    if int(length) > limits.max_bytes:
        raise too_large
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limits.max_bytes:
            raise too_large
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        if not body:
            raise HTTPException(400, "expected a photo as the body, or files of a multipart form")
        return [("", bytes(body))]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    try:
        form = await Request(request.scope, receive).form(
            max_files=limits.max_photos, max_fields=limits.max_photos
        )
    except (MultiPartException, HTTPException) as error:
        reason = getattr(error, "message", None) or getattr(error, "detail", "")
        raise HTTPException(400, f"the multipart form cannot be read: {reason}") from None
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        raise HTTPException(400, "the multipart form has no file in it")
    photos = [(file.filename or "", await file.read()) for file in files]
    await form.close()
    return photos


def _decoded(predictor: Any, content: bytes) -> np.ndarray | str:
    """Pixels for the network, or why there are none."""
    try:
        return predictor.pixels(content)
    except DataError as error:
        return str(error)


def _answer(name: str, served: ServedModel, row: np.ndarray) -> Answer:
    ranked = served.predictor.ranked(row)
    return Answer(name=name, class_name=next(iter(ranked)), probabilities=ranked)


def _failed(name: str, reason: str) -> Answer:
    return Answer(name=name, class_name=None, probabilities={}, error=reason)


def _documentation(openapi: dict[str, Any]) -> str:
    """A page about the interface that loads nothing."""
    import html

    rows = "".join(
        f"<section><h2><code>{method.upper()} {html.escape(path)}</code></h2>"
        f"<p>{html.escape(operation.get('description', ''))}</p><ul>"
        + "".join(
            f"<li>{html.escape(code)}: {html.escape(response['description'])}</li>"
            for code, response in operation["responses"].items()
        )
        + "</ul></section>"
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )
    return (
        "<!DOCTYPE html><html lang='en'><meta charset='utf-8'><title>catsdogs: HTTP interface"
        "</title><meta name='viewport' content='width=device-width'><style>body{font:1rem/1.5 "
        "system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color-scheme:"
        "light dark}pre{overflow:auto}</style><h1>HTTP interface</h1><pre>curl --data-binary "
        "@image.jpg http://127.0.0.1:8000/predict\ncurl -F photos=@a.jpg -F photos=@b.jpg "
        "http://127.0.0.1:8000/predict</pre><p>As <a href='openapi.json'>OpenAPI</a>.</p>"
        f"{rows}</html>"
    )
