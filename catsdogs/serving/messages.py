"""What comes in and goes out over HTTP, as its description has it."""

from typing import Any

from pydantic import BaseModel


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


PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text}
    for code, text in {
        400: "The request cannot be understood, or no photo in it can be read.",
        401: "The token is missing or wrong.",
        404: "There is no model of this name.",
        413: "The request is larger than is taken.",
        500: "The model cannot answer: its file has gone, or is damaged.",
        503: "Too many photos wait already: try again after `Retry-After` seconds.",
        504: "It took too long.",
    }.items()
}
"""Answers of every path that are none, by status."""

TAKES_PHOTOS: dict[str, Any] = {
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
"""Photos as the body of a request: one as it is, or the files of a form."""
