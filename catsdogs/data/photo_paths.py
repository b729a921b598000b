"""What a user names, files, folders, globs and lists, to paths of photos."""

import glob
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from catsdogs.data.images import is_photo
from catsdogs.errors import ConfigError, DataError

_CHUNK_BYTES = 2**16

_NUM_NAMED = 3
"""So many arguments that cannot be used are named in one line."""


@dataclass(frozen=True)
class Shard:
    """One of several parts of the photos, about equal in size.

    Attributes:
        number: which part, from 1.
        count: how many parts there are.
    """

    number: int
    count: int

    def holds(self, path: str) -> bool:
        """Whether a photo is in this part: its path as it was given decides, and nothing else."""
        digest = hashlib.blake2b(os.fsencode(path), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1


def parse_shard(text: str) -> Shard:
    """Read `2/4`.

    Raises:
        ConfigError: it is something else.
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ConfigError(f"--shard should be I/N, from 1/N to N/N, got {text!r}")
    return Shard(int(number), int(count))


def find_photos(arguments: Sequence[str]) -> list[Path]:
    """Files, folders and globs to photo paths, in the order of the arguments.

    A file that is there but cannot be read, a link that leads nowhere for example, counts as
    found: whoever reads it gets the reason.

    Raises:
        DataError: paths are missing, globs match nothing, folders hold no photos; names them.
    """
    return [Path(path) for path in walk_photos(arguments)]


def walk_photos(arguments: Sequence[str]) -> Iterator[str]:
    """As `find_photos`, one by one: no more than a folder's names are in memory at a time.

    What is wrong with any argument is found out before the first path is given.
    """
    walks: list[Iterable[str]] = []
    problems = []
    for argument in arguments:
        try:
            walks.append(_walk_argument(argument))
        except DataError as error:
            problems.append(str(error))
    if problems:
        more = len(problems) - _NUM_NAMED
        named = problems[:_NUM_NAMED] + ([f"and {more:,} more"] if more > 0 else [])
        raise DataError(", ".join(named))
    return chain.from_iterable(walks)


def _walk_argument(argument: str) -> Iterable[str]:
    if os.path.isdir(argument):  # noqa: PTH112 - Path's raises where a parent cannot be read
        photos = _walk(str(Path(argument)))
        first = next(photos, None)
        if first is None:
            raise DataError(
                f"{argument} holds no photos: expected jpg, png, webp, gif, bmp or tiff"
            )
        return chain([first], photos)
    try:
        os.lstat(argument)
        return [str(Path(argument))]
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in it
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise DataError(f"{argument} cannot be read ({reason})") from None
    if not glob.has_magic(argument):
        raise DataError(f"{argument} does not exist")
    matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - Path has no ** from a root
    if not matches:
        raise DataError(f"{argument} matches no file")
    return walk_photos(matches)


def _walk(folder: str) -> Iterator[str]:
    """All photos below a folder, sorted by path; hidden and linked folders are left out.

    Raises:
        DataError: a folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None
    for entry in found:
        if _is_folder(entry):
            if not entry.name.startswith(".") and not entry.is_symlink():
                yield from _walk(str(Path(folder, entry.name)))
        elif is_photo(Path(entry.name)):
            yield str(Path(folder, entry.name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: whoever reads it gets the reason
        return False


def read_path_list(stream: BinaryIO) -> Iterator[str]:
    """Paths from a list, one by one as they arrive; blank ones are left out.

    Args:
        stream: paths, each followed by a line break, or by a NUL byte (`find -print0`), which
            lets names have line breaks in them.
    """
    separator = b""
    rest = b""
    while chunk := stream.read1(_CHUNK_BYTES) if hasattr(stream, "read1") else stream.read():
        rest += chunk
        if not separator and (b"\0" in rest or b"\n" in rest):
            separator = b"\0" if b"\0" in rest else b"\n"
        if separator:
            *paths, rest = rest.split(separator)
            yield from _decoded(paths)
    yield from _decoded([rest])


def _decoded(paths: Sequence[bytes]) -> Iterator[str]:
    for path in paths:
        if path := path.removesuffix(b"\r"):
            yield str(Path(os.fsdecode(path)))
