"""A trap in HDF5: heaps of texts that its library would walk in circles, or over and over.

libhdf5 goes from object to object by the sizes that stand in the file. A damaged size of zero,
or one that wraps around, sends it back to where it was; no error comes and no signal handler
runs. Heaps that lie in one another are walked once for each. A list of a thousand texts may
name a single one, of megabytes, a thousand times. So they are looked at before the library
opens the file, in a number of steps that is bounded whatever the file says.
"""

import struct
from dataclasses import dataclass, field

_SIGNATURE = b"GCOL\x01"  # HDF5 file format specification 3.0, III.E, with its version
_HEADER_BYTES = 16  # of a collection, and of each object in it

MOST_OBJECTS = 500_000
"""Of all heaps together, about half a second; Keras writes three texts a file."""

MOST_TEXT_BYTES = 4 * 2**20
"""Longer texts are refused; the configuration of a network of 700 layers takes 0.3 MB."""

MOST_NAME_BYTES = 4096
"""Longer texts are no names, but configurations and records, of which a file has few."""

_MOST_LONG_TEXTS = 16
_MOST_USES = 8
"""Of one long text: one, and what deleted attributes left."""


@dataclass
class _Walk:
    """How far all heaps were looked at.

    Attributes:
        end: where the last one ended.
        num_objects: how many were looked at so far.
        long_texts: those that are no names, as references lead to them.
    """

    end: int = 0
    num_objects: int = 0
    long_texts: list[bytes] = field(default_factory=list)


def check_heaps(content: bytes) -> None:
    """Make sure that the text heaps of an HDF5 file can be walked, and hold no endless texts.

    Args:
        content: of the whole file, with addresses and sizes of eight bytes.

    Raises:
        ValueError: one would never come to its end, they lie in one another, or they hold more
            than any file of a network does.
    """
    walk = _Walk()
    start = content.find(_SIGNATURE)
    while start >= 0:
        _check_heap(content, start, walk)
        start = content.find(_SIGNATURE, start + 1)
    if len(walk.long_texts) > _MOST_LONG_TEXTS:
        raise ValueError(f"it has more than {_MOST_LONG_TEXTS} long texts")
    if any(content.count(reference) > _MOST_USES for reference in walk.long_texts):
        raise ValueError(f"it uses one long text more than {_MOST_USES} times")


def _check_heap(content: bytes, start: int, walk: _Walk) -> None:
    """Walk the collection that starts here.

    Three zeros follow the signature, which the library does not look at. Without them these
    five bytes may as well be weights that happen to read so: then only what leads nowhere
    counts, which among such numbers is as good as impossible.
    """
    is_heap = content[start + 5 : start + 8] == bytes(3)
    if start + _HEADER_BYTES > len(content):
        if is_heap:
            raise ValueError("its texts are cut off")
        return
    (size,) = struct.unpack_from("<Q", content, start + 8)
    end = start + size
    if is_heap and end > len(content):
        raise ValueError("its texts are cut off")
    if is_heap and start < walk.end:
        raise ValueError("its texts lie in one another")
    at = start + _HEADER_BYTES
    while at + _HEADER_BYTES <= min(end, len(content)):
        number, _, _, size = struct.unpack_from("<HHIQ", content, at)
        # objects are padded to 8 bytes and counted without their header; free space, number 0,
        # is counted with it
        step = size if number == 0 else (_HEADER_BYTES + (size + 7) // 8 * 8) % 2**64
        if not step:
            raise ValueError("its texts have no end")
        if step < _HEADER_BYTES or at + step > end:
            if is_heap:
                raise ValueError("its texts have no end")
            return
        if number and at + step <= len(content) and size > MOST_NAME_BYTES:
            if size > MOST_TEXT_BYTES:
                raise ValueError(f"it has a text of {size:,} bytes")
            walk.long_texts.append(struct.pack("<QI", start, number))
        walk.num_objects += 1
        if walk.num_objects > MOST_OBJECTS:
            raise ValueError(f"it has more than {MOST_OBJECTS:,} texts")
        at += step
    if is_heap:
        walk.end = end
