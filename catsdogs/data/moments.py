"""When and by which camera a photo was taken, as its EXIF says.

Photos that a camera takes within seconds of each other mostly show the same: in different splits
they flatter the accuracy as copies do.
"""

import datetime
import re
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from catsdogs.data.metadata import jpeg_segments
from catsdogs.data.tiff_tags import read_directory

MOMENT = "moment"
"""As `data.group`: photos that were taken at the same moment are a group."""

SECONDS = 10
"""Between two photos of a camera that count as taken at the same moment."""

HEAD_BYTES = 2**17
"""Of a JPEG: its EXIF stands at its beginning, in at most 64 KiB, perhaps behind other segments."""

_MOST_AT_ONCE = 30
"""Photos of one second: more were not taken then, but dated so by a scanner or a program."""

_DETAILS, _TAKEN, _MAKER, _MODEL, _NUMBER = 0x8769, 0x9003, 0x010F, 0x0110, 0xA431
"""Entries of EXIF."""

_APP1 = 0xE1
_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a photo was taken.

    Attributes:
        seconds: on the camera's clock.
        camera: maker, model and number, as far as they are known.
    """

    seconds: int
    camera: str


def moment_of(exif: bytes) -> Moment | None:
    """Read a block of EXIF, with or without its `Exif` in front; None where it tells no time."""
    tags = read_directory(exif.removeprefix(b"Exif\0\0"))
    details = tags.directory_at(_DETAILS) if tags else None
    found = _TIME.match(details.text(_TAKEN)) if details else None
    if tags is None or details is None or found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        taken = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    except ValueError:  # 0000:00:00, as cameras write whose clock was never set
        return None
    camera = "|".join((tags.text(_MAKER), tags.text(_MODEL), details.text(_NUMBER)))
    return Moment(int(taken.timestamp()), camera)


def is_jpeg(head: bytes) -> bool:
    """Whether a file that begins so is a JPEG."""
    return head.startswith(b"\xff\xd8")


def moment_of_jpeg(head: bytes) -> Moment | None:
    """When a JPEG was taken, by its beginning of `HEAD_BYTES`."""
    if not is_jpeg(head) or b"Exif\0\0" not in head:
        return None
    for marker, start, end in jpeg_segments(head):
        segment = head[start + 4 : end]
        if marker == _APP1 and segment.startswith(b"Exif\0\0"):
            return moment_of(segment)
    return None


Photo = TypeVar("Photo", bound=Hashable)


def same_moments(moments: Mapping[Photo, Moment]) -> list[list[Photo]]:
    """Photos that a camera took within seconds of each other, two or more together.

    Args:
        moments: of the photos whose time is known.
    """
    at_once = Counter(moments.values())
    usable = [
        (moment.camera, moment.seconds, number, photo)
        for number, (photo, moment) in enumerate(moments.items())
        if at_once[moment] <= _MOST_AT_ONCE
    ]
    together: list[list[Photo]] = []
    last = ("", -SECONDS - 1)
    for camera, seconds, _, photo in sorted(usable, key=lambda item: item[:3]):
        if together and camera == last[0] and seconds - last[1] <= SECONDS:
            together[-1].append(photo)
        else:
            together.append([photo])
        last = camera, seconds
    return [photos for photos in together if len(photos) > 1]
