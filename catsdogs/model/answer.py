"""What a model says of a photo."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What a model says of one photo.

    Attributes:
        probabilities: class names to probabilities, most probable first; empty where the
            photo could not be read.
        error: why it could not be read; empty otherwise.
        strangeness: the share of held-out photos that look less strange to the model, 0 to below
            1; None where the model cannot tell.
        refused_as: what the answer is called where the photo is too strange; empty otherwise.
    """

    probabilities: dict[str, float]
    error: str = ""
    strangeness: float | None = None
    refused_as: str = ""

    @property
    def class_name(self) -> str:
        """The answer: the most probable class, or neither; empty where it could not be read."""
        return self.refused_as or self.most_probable

    @property
    def most_probable(self) -> str:
        """The most probable class; empty where the photo could not be read."""
        return next(iter(self.probabilities), "")


@dataclass(frozen=True, kw_only=True)
class Prediction(Answer):
    """The answer for one photo file.

    Attributes:
        path: as it was asked for.
        asked: the path letter by letter as it was asked for; empty where that is `path`.
    """

    path: Path
    asked: str = ""

    @property
    def name(self) -> str:
        """The path as it is written into an answer."""
        return self.asked or str(self.path)
