"""One photo file looked at closely: can it be used, is it what it says, what does it show."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from catsdogs.checking.near_copies import PictureSignature, signature_of
from catsdogs.data.contents import TooLargeError, hash_content, read_content
from catsdogs.data.images import decode_photo, is_flat, read_exif, read_header
from catsdogs.data.moments import Moment, moment_of
from catsdogs.errors import DataError

MIN_SIDE_PIXELS = 32
"""A shorter side than this holds less than the smallest pictures that networks learn from."""

_LARGE_PIXELS, _LARGE_SIZE = 16_000_000, (1024, 1024)
"""Pictures of more pixels than this are decoded at that height and width, where their format can:
what is looked for shows there as well."""

_CHUNK = 256
"""Photos handed to the threads at once, so that their results do not pile up."""

_FORMAT_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "DIB": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in one photo file.

    Attributes:
        path: the file.
        content_hash: of its bytes; empty where they cannot be read.
        faults: kinds of finding, each with its detail.
        signature: what it shows, for finding near copies; None where it was not decoded.
        moment: when it was taken; None where it does not say.
    """

    path: Path
    content_hash: bytes
    faults: tuple[tuple[str, str], ...]
    signature: PictureSignature | None
    moment: Moment | None = None


def inspect_photo(path: Path, fast: bool) -> Inspection:
    """Read a photo file and decode it whole; `fast` looks at its header alone."""
    content_hash, signature, moment = b"", None, None
    faults = []
    try:
        content = read_content(path)
        content_hash = hash_content(content)
        header = read_header(content)
        moment = moment_of(read_exif(content))
        if not fast:
            is_large = header.width * header.height > _LARGE_PIXELS
            image = decode_photo(content, _LARGE_SIZE if is_large else None)
            signature = signature_of(image)
            pixels = np.asarray(image.resize((128, 128), Image.Resampling.NEAREST))
            if is_flat(pixels):
                faults.append(("flat", "one value, or nearly so: nothing to be seen"))
    except TooLargeError as error:
        faults.append(("too_large", str(error)))
    except DataError as error:
        faults.append(("unreadable", str(error)))
    else:
        if path.suffix.lower() not in _FORMAT_SUFFIXES.get(header.format, ()):
            faults.append(("wrong_suffix", f"holds {header.format}"))
        if min(header.width, header.height) < MIN_SIDE_PIXELS:
            faults.append(("too_small", f"{header.width} x {header.height} pixels"))
        if header.is_animated:
            faults.append(("several_frames", header.format))
    return Inspection(path, content_hash, tuple(faults), signature, moment)


def inspect_photos(
    paths: Sequence[Path], fast: bool, num_threads: int, on_inspected: Callable[[int], None]
) -> Iterator[Inspection]:
    """Inspect photos in threads, in order.

    Args:
        paths: the files.
        fast: look at headers and contents alone, without decoding.
        num_threads: how many files are decoded at once.
        on_inspected: called with the number of photos done since the last call.
    """
    with ThreadPoolExecutor(num_threads, thread_name_prefix="inspect") as pool:
        for start in range(0, len(paths), _CHUNK):
            chunk = paths[start : start + _CHUNK]
            for inspection in pool.map(lambda path: inspect_photo(path, fast), chunk):
                on_inspected(1)
                yield inspection
