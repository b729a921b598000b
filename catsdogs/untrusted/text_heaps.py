"""A trap in HDF5: heaps of texts that its library would walk in circles, for ever.

libhdf5 goes from object to object by the sizes that stand in the file. A damaged size of zero,
or one that wraps around, sends it back to where it was; no error comes and no signal handler
runs. So the sizes are checked before the library opens the file.
"""

import mmap
import struct
from pathlib import Path

_SIGNATURE = b"GCOL\x01"  # HDF5 file format specification 3.0, III.E, with its version
_HEADER_BYTES = 16  # of a collection, and of each object in it


def is_endless(path: Path) -> bool:
    """Whether a text heap of the file would never come to its end.

    Raises:
        OSError, ValueError: the file cannot be read, or is empty.
    """
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        start = content.find(_SIGNATURE)
        while start >= 0:
            if _goes_in_circles(content, start):
                return True
            start = content.find(_SIGNATURE, start + 1)
    return False


def _goes_in_circles(content: mmap.mmap, start: int) -> bool:
    """Whether an object of the collection that starts here leads nowhere, or out of it.

    Three zeros follow the signature, which the library does not look at. Without them these
    five bytes may as well be weights that happen to read so: then only what leads nowhere
    counts, which among such numbers is as good as impossible.
    """
    is_heap = content[start + 5 : start + 8] == bytes(3)
    if start + _HEADER_BYTES > len(content):
        return is_heap
    (size,) = struct.unpack_from("<Q", content, start + 8)
    end = start + size
    if end > len(content) and is_heap:
        return True
    at = start + _HEADER_BYTES
    while at + _HEADER_BYTES <= min(end, len(content)):
        number, _, _, size = struct.unpack_from("<HHIQ", content, at)
        # objects are padded to 8 bytes and counted without their header; free space, number 0,
        # is counted with it
        step = size if number == 0 else (_HEADER_BYTES + (size + 7) // 8 * 8) % 2**64
        if not step:
            return True
        if step < _HEADER_BYTES or at + step > end:
            return is_heap
        at += step
    return False
