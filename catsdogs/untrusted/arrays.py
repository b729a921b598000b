"""NumPy's archives that may come from anyone: nothing is unpacked, and nothing executed.

Called within `foreign_bytes`: what is raised is of any type.
"""

import math
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from catsdogs.untrusted.boundary import open_regular, too_large

MOST_ARCHIVE_BYTES = 3 * 2**29
"""Size of a checkpoint; all of VGG16 with its optimizer takes a fifth of it."""

_MOST_MEMBERS = 10_000
_MOST_HEADER_BYTES = 4096
"""Length of an array's header; NumPy writes 128."""

_DIRECTORY_END = b"PK\x05\x06"  # APPNOTE.TXT 6.3.10, 4.3.16
_DIRECTORY_END_BYTES = 22


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an archive as `np.savez` writes them: uncompressed, of numbers or texts.

    Nothing is unpacked: an array is read only where the archive holds its bytes as they are,
    and nothing is executed.

    Raises:
        ValueError, Exception: of any type where anything about the archive or an array is
            otherwise, or a number in one is not finite.
    """
    with open_regular(path) as file:
        num_bytes = file.seek(0, 2)
        if num_bytes > MOST_ARCHIVE_BYTES:
            raise too_large(MOST_ARCHIVE_BYTES)
        _check_directory(file, num_bytes)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > num_bytes:
                raise ValueError("its arrays claim more bytes than it has")
            return {
                member.filename.removesuffix(".npy"): _read_array(archive, member)
                for member in members
            }


def _check_directory(file: BinaryIO, num_bytes: int) -> None:
    """Bound the list of members, which the library reads as a whole, before it does so."""
    file.seek(max(0, num_bytes - _DIRECTORY_END_BYTES))
    end = file.read()
    if not end.startswith(_DIRECTORY_END) or len(end) != _DIRECTORY_END_BYTES:
        raise ValueError("it is cut off, or no archive")
    if int.from_bytes(end[10:12], "little") > _MOST_MEMBERS or (
        int.from_bytes(end[12:16], "little") > 256 * _MOST_MEMBERS
    ):
        raise ValueError("it holds too many arrays")


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise ValueError(f"{member.filename} is compressed or encrypted")
    with archive.open(member) as file:
        major, _ = np.lib.format.read_magic(file)
        if major != 1:
            raise ValueError(f"{member.filename} has a header of version {major}")
        header = np.lib.format.read_array_header_1_0(file, max_header_size=_MOST_HEADER_BYTES)
        shape, is_fortran, dtype = header
        num_bytes = math.prod(shape) * dtype.itemsize
        if dtype.kind not in "fiubU" or not dtype.itemsize:
            raise ValueError(f"{member.filename} holds neither numbers nor text")
        if file.tell() + num_bytes != member.file_size:
            raise ValueError(f"{member.filename} is not as large as it claims")
        content = file.read(num_bytes + 1)  # to its end, where its checksum is compared
    array = np.ndarray(shape, dtype, content, order="F" if is_fortran else "C").copy()
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{member.filename} holds values that are no numbers, NaN or infinite")
    return array
