"""The HTTP interface: photos in, answers out; nothing is written, nothing is kept."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from catsdogs import __version__
from catsdogs.errors import CatsdogsError, DataError
from catsdogs.model.answer import Answer as ModelAnswer
from catsdogs.model.predictor import Predictor
from catsdogs.serving.access import Access
from catsdogs.serving.interface_page import interface_page
from catsdogs.serving.messages import PROBLEMS, TAKES_PHOTOS, Answer, Answers, Health, ModelFacts
from catsdogs.serving.served_models import ServedModel, ServedModels
from catsdogs.serving.uploads import Limits, uploaded_photos
from catsdogs.serving.waiting_line import LineFull, WaitingLine

_RETRY_SECONDS = 1

MakePage = Callable[[ServedModel], str]
"""Gives the HTML page of a model."""

DrawExplanation = Callable[[ServedModel, bytes], bytes]
"""Draws where in a photo, a file's content, its class was seen, as PNG; raises CatsdogsError."""

_Name = Annotated[str | None, Query(description="Which model; the first one by default.")]


def create_app(
    models: ServedModels,
    page: MakePage | None = None,
    explain: DrawExplanation | None = None,
    access: Access | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        models: what answers.
        page: makes the page of a model; None: there is no page.
        explain: draws what a model sees; None: nothing is explained.
        access: who may ask; None: this machine alone.
        limits: what a request may ask for; None: the defaults.
    """
    interface = _Interface(models, access or Access(), limits or Limits())
    app = FastAPI(
        title="catsdogs",
        version=__version__,
        summary="Photos in, classes out.",
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere: ours stand below
        redoc_url=None,
        lifespan=interface.lifespan,
    )
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(CatsdogsError)(_failed_model)
    app.middleware("http")(interface.guarded)
    app.post("/predict", responses=PROBLEMS, openapi_extra=TAKES_PHOTOS)(interface.predict)
    app.get("/model", responses={404: PROBLEMS[404]})(interface.model_facts)
    app.get("/health")(interface.health)

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs(request: Request) -> str:
        return interface_page(app.openapi(), str(request.base_url))

    if explain is not None:

        @app.post(
            "/explain",
            response_class=Response,
            responses={200: {"content": {"image/png": {}}}, **PROBLEMS},
            openapi_extra=TAKES_PHOTOS,
        )
        async def explained(request: Request, model: _Name = None) -> Response:
            """Draw where in a photo its class was seen: the photo and its heat, as PNG."""
            return await interface.explained(explain, request, model)

    if page is not None:

        @app.get("/", response_class=HTMLResponse, include_in_schema=False)
        async def index(model: _Name = None) -> str:
            return await run_in_threadpool(page, interface.find(model))

    return app


class _Interface:
    """What each path answers. The docstrings of the paths stand in the interface's description.

    Args:
        models: what answers.
        access: who may ask.
        limits: what a request may ask for.
    """

    def __init__(self, models: ServedModels, access: Access, limits: Limits) -> None:
        self._models = models
        self._access = access
        self._limits = limits
        self._line = WaitingLine(limits.waiting)

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """From the first request to the last one."""
        self._line.start()
        self._models.start()
        yield
        await self._line.stop()
        self._models.stop()

    async def guarded(
        self, request: Request, call: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Answer whoever may ask, in time."""
        if not self._access.admits(request.headers.get("host", "")):
            return _problem(
                400, "the Host header names another machine: allow its name when serving"
            )
        authorization = request.headers.get("authorization", "")
        if request.url.path != "/health" and not self._access.knows(authorization):
            return _problem(401, "expected the header Authorization: Bearer TOKEN")
        try:
            async with asyncio.timeout(self._limits.timeout_seconds):
                response = await call(request)
        except TimeoutError:
            return _problem(504, f"no answer within {self._limits.timeout_seconds:g} seconds")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    def find(self, name: str | None) -> ServedModel:
        """The model of a name; of none, the first one.

        Raises:
            HTTPException: 404, there is none of that name.
        """
        model = self._models.get(name)
        if model is None:
            known = ", ".join(served.name for served in self._models)
            raise HTTPException(404, f"there is no model {name!r}: expected one of {known}")
        return model

    async def predict(self, request: Request, model: _Name = None) -> Answers:
        """Name what is in photos: files of a multipart form, or one as the bare body."""
        served = self.find(model)
        photos = await uploaded_photos(request, self._limits)
        predictor = served.predictor
        decoded = await asyncio.gather(
            *(run_in_threadpool(_decoded, predictor, content) for _, content in photos)
        )
        readable = [pixels for pixels in decoded if not isinstance(pixels, str)]
        try:
            given = iter(await self._line.ask(predictor.answers_to, readable) if readable else [])
        except LineFull:
            raise HTTPException(
                503, "too many photos are waiting", {"Retry-After": str(_RETRY_SECONDS)}
            ) from None
        answers = [
            _unread(name, pixels) if isinstance(pixels, str) else _answer(name, served, next(given))
            for (name, _), pixels in zip(photos, decoded, strict=True)
        ]
        if len(answers) == 1 and answers[0].error:
            raise HTTPException(400, answers[0].error)
        return Answers(model=served.name, answers=answers)

    async def explained(
        self, explain: DrawExplanation, request: Request, model: str | None
    ) -> Response:
        """The picture of the first photo in a request."""
        served = self.find(model)
        (_, content), *_ = await uploaded_photos(request, self._limits)
        try:
            picture = await run_in_threadpool(explain, served, content)
        except CatsdogsError as error:
            raise HTTPException(400, error.message) from None
        return Response(picture, media_type="image/png")

    async def model_facts(self, model: _Name = None) -> ModelFacts:
        """What a model is: its classes, its size, what its file says about itself."""
        served = self.find(model)
        metadata = served.predictor.metadata
        return ModelFacts(
            name=served.name,
            class_names=list(served.predictor.class_names),
            image_size=list(served.predictor.image_size),
            loaded=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(served.loaded)),
            metadata=metadata.model_dump(mode="json", exclude={"config"}) if metadata else None,
        )

    async def health(self) -> Health:
        """Whether it answers. Needs no token."""
        return Health(
            status="ok",
            models=[served.name for served in self._models],
            waiting=self._line.num_waiting,
            answered=self._line.num_answered,
        )


async def _refused(_: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def _failed_model(_: Request, error: CatsdogsError) -> JSONResponse:
    """A model whose file has gone or been damaged since it was loaded, or cannot compute."""
    return _problem(500, error.message)


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status)


def _decoded(predictor: Predictor, content: bytes) -> np.ndarray | str:
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


def _unread(name: str, reason: str) -> Answer:
    return Answer(name=name, class_name=None, probabilities={}, error=reason)
