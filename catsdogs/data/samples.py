"""Labelled photos, and one pass over their bytes before any is decoded."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

from catsdogs.data.contents import hash_file, read_content
from catsdogs.data.images import read_exif
from catsdogs.data.moments import HEAD_BYTES, Moment, is_jpeg, moment_of, moment_of_jpeg
from catsdogs.errors import DataError

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled photo.

    Attributes:
        path: where it lies.
        label: index into `Dataset.class_names`.
        content_hash: 16 bytes that change with any byte of the file, and with nothing else.
        group: name of what must stay together with it, in 16 bytes; empty: nothing but copies.
        weight: what it counts for in the loss, 1 on average.
    """

    path: Path
    label: int
    content_hash: bytes = b""
    group: bytes = b""
    weight: float = 1.0

    @property
    def unit(self) -> bytes:
        """What must not be split: its group, else its copies."""
        return self.group or self.content_hash


def _look_at(path: Path, with_moment: bool) -> tuple[bytes, Moment | None] | str:
    """The content hash and when a photo was taken, or why there is neither."""
    try:
        content_hash, head = hash_file(path, HEAD_BYTES)
    except DataError as error:
        return str(error)
    moment = moment_of_jpeg(head)
    if moment is None and with_moment and not is_jpeg(head):
        with suppress(DataError):  # whoever decodes it says why
            moment = moment_of(read_exif(read_content(path)))
    return content_hash, moment


class SampleReading:
    """Reads photos, for their content hashes and when they were taken.

    Args:
        on_hashed: called with the number of photos read since the last call.
        with_moments: find out when photos of any format were taken, not of JPEGs alone, of which
            it stands at their beginning.

    Attributes:
        unreadable: photos that cannot be read, with the reason.
        moments: when photos were taken, as far as that is known.
    """

    def __init__(self, on_hashed: Advance, with_moments: bool = False) -> None:
        self._on_hashed = on_hashed
        self._with_moments = with_moments
        self.unreadable: list[tuple[Path, str]] = []
        self.moments: dict[Path, Moment] = {}

    def hashed(self, samples: Iterable[Sample]) -> list[Sample]:
        """The samples that can be read, with their content hashes."""
        samples = list(samples)
        hashed = []
        with ThreadPoolExecutor(max_workers=8) as pool:  # waits for the disk more than the cores
            paths, with_moments = [sample.path for sample in samples], repeat(self._with_moments)
            results = pool.map(_look_at, paths, with_moments)
            for sample, result in zip(samples, results, strict=True):
                if isinstance(result, str):
                    self.unreadable.append((sample.path, result))
                else:
                    content_hash, moment = result
                    hashed.append(replace(sample, content_hash=content_hash))
                    if moment:
                        self.moments[sample.path] = moment
                self._on_hashed(1)
        return hashed
