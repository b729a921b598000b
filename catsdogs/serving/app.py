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
from starlette.exceptions import HTTPException

from catsdogs import __version__
from catsdogs.errors import CatsdogsError, DataError
from catsdogs.model.predictor import Answer as ModelAnswer
from catsdogs.serving.served_models import ServedModel, ServedModels
from catsdogs.serving.uploads import Limits, uploaded_photos
from catsdogs.serving.waiting_line import LineFull, WaitingLine

_RETRY_SECONDS = 1


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

    def knows(self, authorization: str) -> bool:
        """Whether an Authorization header, as latin-1 of its bytes, holds the token, if any."""
        if not self.token:
            return True
        scheme, _, given = authorization.partition(" ")
        expected = self.token.encode("utf-8", "surrogateescape")  # as the environment has it
        return hmac.compare_digest(given.strip().encode("latin-1"), expected) and (
            scheme.lower() == "bearer"
        )


class Answer(BaseModel):
    """The answer for one photo.

    Attributes:
        name: of the file, as it was sent; empty for a bare body.
        class_name: the most probable class, or `neither` where the model may refuse a photo that
            is too strange; None where the photo could not be read.
        probabilities: by class name, the most probable first.
        strangeness: share of ordinary photos that are less strange; None where the model does not
            refuse any.
        error: why the photo could not be read; None otherwise.
    """

    name: str
    class_name: str | None
    probabilities: dict[str, float]
    strangeness: float | None = None
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
    explain: Callable[[ServedModel, bytes], bytes] | None = None,
    access: Access | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        models: what answers.
        page: gives the HTML page of a model; None: there is no page.
        explain: draws where in a photo its class was seen, as PNG; raises CatsdogsError.
        access: who may ask; None: this machine alone.
        limits: what a request may ask for; None: the defaults.
    """
    access, limits = access or Access(), limits or Limits()
    line = WaitingLine(limits.waiting)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        line.start()
        models.start()
        yield
        await line.stop()
        models.stop()

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

    @app.exception_handler(CatsdogsError)
    async def told(_: Request, error: CatsdogsError) -> JSONResponse:
        """A model whose file has gone or been damaged since it was loaded, or cannot compute."""
        return _problem(500, error.message)

    @app.middleware("http")
    async def guarded(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        if not access.admits(request.headers.get("host", "")):
            return _problem(
                400, "the Host header names another machine: allow its name when serving"
            )
        authorization = request.headers.get("authorization", "")
        if request.url.path != "/health" and not access.knows(authorization):
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
        photos = await uploaded_photos(request, limits)
        predictor = served.predictor
        decoded = await asyncio.gather(
            *(run_in_threadpool(_decoded, predictor, content) for _, content in photos)
        )
        readable = [pixels for pixels in decoded if not isinstance(pixels, str)]
        try:
            given = iter(await line.ask(predictor.answers_to, readable) if readable else [])
        except LineFull:
            raise HTTPException(
                503, "too many photos are waiting", {"Retry-After": str(_RETRY_SECONDS)}
            ) from None
        answers = [
            _failed(name, pixels) if isinstance(pixels, str) else _answer(name, served, next(given))
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

    if explain is not None:

        @app.post(
            "/explain",
            response_class=Response,
            responses={200: {"content": {"image/png": {}}}, **_PROBLEMS},
            openapi_extra=_TAKES_PHOTOS,
        )
        async def explained(request: Request, model: _Name = None) -> Response:
            """Draw where in a photo its class was seen: the photo and its heat, as PNG."""
            served = find(model)
            (_, content), *_ = await uploaded_photos(request, limits)
            try:
                picture = await run_in_threadpool(explain, served, content)
            except CatsdogsError as error:
                raise HTTPException(400, error.message) from None
            return Response(picture, media_type="image/png")

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


def _decoded(predictor: Any, content: bytes) -> np.ndarray | str:
    """Pixels for the network, or why there are none."""
    try:
        return predictor.pixels(content)
    except DataError as error:
        return str(error)


def _answer(name: str, served: ServedModel, given: ModelAnswer) -> Answer:
    return Answer(
        name=name,
        class_name=given.class_name,
        probabilities=given.probabilities,
        strangeness=given.strangeness if served.predictor.unknown else None,
    )


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
