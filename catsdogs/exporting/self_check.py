"""Proof that an exported file answers as the model does, on photos, in the file's own runtime."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from catsdogs.data.images import Photo
from catsdogs.errors import ExportError
from catsdogs.exporting.stored_weights import Precision


@dataclass(frozen=True)
class CheckedPhoto:
    """A photo that model and file are both asked about. Attributes: what to call it; itself."""

    name: str
    photo: Photo


Answers = Callable[[CheckedPhoto], np.ndarray]
"""A photo to probabilities, float `(classes,)`, in the order of the model's classes."""


@dataclass(frozen=True)
class Tolerance:
    """How far answers may differ.

    Attributes:
        largest: difference of a probability, on any photo.
        mean: difference of the most probable class's probability, over all photos.
    """

    largest: float
    mean: float


_ARITHMETIC: dict[Precision, Tolerance] = {
    "float32": Tolerance(0.002, 0.0005),
    "float16": Tolerance(0.01, 0.002),
    "int8": Tolerance(0.5, 0.03),
}
"""Of the same pixels. An int8 file may be wrong about single photos; on the whole it may not."""

_RESIZE = Tolerance(0.1, 0.005)
"""What is added where the file decodes or resizes by itself: a large JPEG is decoded smaller for
`predict`, whole for others, and a photo at the border between two classes feels that."""


@dataclass(frozen=True)
class SelfCheck:
    """How an exported file compares with its model.

    Attributes:
        num_photos: how many both have answered.
        num_same: of them, those for which both name the same class.
        largest_difference: of a probability, on any photo, 0 to 1.
        its_photo: the name of that photo.
        mean_difference: of the most probable class's probability, over all photos, 0 to 1.
    """

    num_photos: int
    num_same: int
    largest_difference: float
    its_photo: str
    mean_difference: float


def compare_answers(
    photos: Sequence[CheckedPhoto],
    expected: Iterable[np.ndarray],
    answers: Answers,
    on_photo: Callable[[], None] = lambda: None,
) -> SelfCheck:
    """Ask an exported file about photos that the model has answered.

    Args:
        photos: one or more, readable.
        expected: the model's probabilities, float `(classes,)`, for each of them.
        answers: the exported file's.
        on_photo: called after each photo.
    """
    differences, leading, num_same = [], [], 0
    for photo, own in zip(photos, expected, strict=True):
        other = answers(photo)
        differences.append(float(np.abs(other - own).max()))
        leading.append(float(abs(other[own.argmax()] - own.max())))
        num_same += int(other.argmax() == own.argmax())
        on_photo()
    worst = int(np.argmax(differences))
    return SelfCheck(
        len(photos), num_same, differences[worst], photos[worst].name, float(np.mean(leading))
    )


def refuse_if_other(check: SelfCheck, precision: Precision, resizes: bool) -> None:
    """Make sure that an exported file answers as its model.

    Args:
        check: what was found.
        precision: what the file's weights are kept in.
        resizes: the file brings photos to their size by itself.

    Raises:
        ExportError: it answers otherwise.
    """
    allowed = _ARITHMETIC[precision]
    largest = allowed.largest + _RESIZE.largest * resizes
    mean = allowed.mean + _RESIZE.mean * resizes
    if check.largest_difference > largest or check.mean_difference > mean:
        raise ExportError(
            f"the exported file answers otherwise than the model: on {check.its_photo} by "
            f"{check.largest_difference:.3f} (at most {largest:g}), {check.mean_difference:.4f} "
            f"on average (at most {mean:g}), the same class for {check.num_same:,} of "
            f"{check.num_photos:,} photos: it was not kept"
            + (". Choose another precision" if precision == "int8" else "")
        )
