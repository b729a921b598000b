"""What a model answers from Python: `Prediction` and `Explanation`, which notebooks show."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from catsdogs.errors import DataError


@dataclass(frozen=True)
class Prediction:
    """The answer for one photo; in a notebook, a table.

    Attributes:
        probabilities: class names to probabilities, most probable first; empty where the photo
            could not be read.
        error: why it could not be read; empty otherwise.
        strangeness: share of ordinary photos that look less strange to the model, 0 to below 1;
            None where it cannot tell.
        refused_as: `neither` where the model refuses the photo as too strange; empty otherwise.
    """

    probabilities: Mapping[str, float]
    error: str = ""
    strangeness: float | None = None
    refused_as: str = ""

    @property
    def class_name(self) -> str:
        """The most probable class, or `neither`; empty where the photo could not be read."""
        return self.refused_as or next(iter(self.probabilities), "")

    @property
    def probability(self) -> float:
        """Of the most probable class, 0 to 1; 0 where the photo could not be read."""
        return next(iter(self.probabilities.values()), 0.0)

    def _repr_html_(self) -> str:
        from catsdogs.reporting.notebook import prediction_html

        return prediction_html(self.probabilities, self.error, self.refused_as, self.strangeness)


@dataclass(frozen=True)
class Explanation:
    """Where in a photo a class was seen; in a notebook, a picture.

    Attributes:
        prediction: the answer for the photo.
        class_name: the class that is explained.
        heat: float32 `(rows, columns)` over the whole photo, 0 to 1, 1 where most speaks for
            the class.
        picture: the photo, and beside it the photo with the heat over it.
    """

    prediction: Prediction
    class_name: str
    heat: np.ndarray
    picture: Image.Image

    def save(self, path: str | Path) -> None:
        """Write the picture, whole or not at all.

        Args:
            path: of the file; its ending tells the format, such as `.png` or `.jpg`.

        Raises:
            DataError: it cannot be written, or something else than such a picture is there.
        """
        from catsdogs.files import PICTURE_MARK, check_writable, replacing
        from catsdogs.reporting.overlay import save_marked

        ending = Path(path).suffix.lower()
        if ending not in Image.registered_extensions() or "\0" in str(path):
            raise DataError(f"{path} has no ending of a picture's format: give .png or .jpg")
        check_writable(Path(path), mark=PICTURE_MARK.encode())
        with replacing(Path(path)) as part:
            save_marked(self.picture, part)

    def __repr__(self) -> str:
        return f"<catsdogs explanation of {self.class_name}>"

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.picture.save(buffer, "png")
        return buffer.getvalue()
