"""What a user names, files, folders, globs, manifests and lists, to paths of photos."""

import codecs
import fnmatch
import glob
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from catsdogs.data.manifest import is_manifest, lists_photos, read_manifest
from catsdogs.data.walking import (
    HIDDEN,
    SUFFIX_LIST,
    SYSTEM,
    Tally,
    Walker,
    photos_below,
    scan,
)
from catsdogs.errors import ConfigError, DataError
from catsdogs.systems import decoded_path
from catsdogs.text import shortened

_CHUNK_BYTES = 2**16
_SEPARATORS = os.sep + (os.altsep or "")

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
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigError(f"shard should be I/N, from 1/N to N/N, got {shortened(repr(text))}")
    return Shard(int(found[1]), int(found[2]))


def find_photos(arguments: Sequence[str], left_out: Tally | None = None) -> list[Path]:
    """Files, folders and globs to photo paths, in the order of the arguments.

    A file that is there but cannot be read, a link that leads nowhere for example, counts as
    found: whoever reads it gets the reason.

    Args:
        arguments: what the user named.
        left_out: counts what lies in the folders and is not taken; None: nobody asks.

    Raises:
        DataError: paths are missing, globs match nothing, folders hold no photos; names them.
    """
    return [Path(path) for path in walk_photos(arguments, left_out)]


def walk_photos(arguments: Sequence[str], left_out: Tally | None = None) -> Iterator[str]:
    """As `find_photos`, one by one: no more than a folder's names are in memory at a time.

    What is wrong with any argument is found out before the first path is given. A path that was
    named comes back letter by letter; below a folder, behind the folder's name as it was given.
    """
    tally = Tally() if left_out is None else left_out
    walks: list[Iterable[str]] = []
    problems = []
    for argument in arguments:
        try:
            walks.append(_walk_argument(argument, tally, len(arguments) == 1))
        except DataError as error:
            problems.append(str(error))
    if problems:
        more = len(problems) - _NUM_NAMED
        named = problems[:_NUM_NAMED] + ([f"and {more:,} more"] if more > 0 else [])
        raise DataError(", ".join(named))
    return chain.from_iterable(walks)


def _walk_argument(argument: str, tally: Tally, is_alone: bool) -> Iterable[str]:
    if os.path.isdir(argument):  # noqa: PTH112 - Path's raises where a parent cannot be read
        photos = photos_below(Walker([argument]), argument, tally)
        first = next(photos, None)
        if first is None:
            besides = f"; left out: {tally}" if tally else ""
            raise DataError(f"{argument} holds no photos: expected {SUFFIX_LIST}{besides}")
        return chain([first], photos)
    try:
        os.lstat(argument)
        # among others, as a shell's * names it, a CSV of something else is one bad photo
        if is_manifest(Path(argument)) and (is_alone or lists_photos(Path(argument))):
            return [str(row.path) for row in read_manifest(Path(argument), needs_labels=False).rows]
        return [argument]
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in it
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise DataError(f"{argument} cannot be read ({reason})") from None
    if not glob.has_magic(argument):
        raise DataError(f"{argument} does not exist" if argument else "one of the paths is empty")
    matches = sorted(set(expand_glob(argument)))
    if not matches:
        raise DataError(f"{argument} matches no file")
    walker = Walker([path for path in matches if os.path.isdir(path)])  # noqa: PTH112
    found: Iterable[str] = dict.fromkeys(  # `**` matches folders and what is in them
        chain.from_iterable(
            photos_below(walker, path, tally) if os.path.isdir(path) else [path]  # noqa: PTH112
            for path in matches
        )
    )
    if not found:
        raise DataError(f"{argument} matches no photos: expected {SUFFIX_LIST}")
    return found


def expand_glob(pattern: str) -> Iterator[str]:
    """The paths that a pattern matches; `**` stands for any folders, each entered once.

    Other than Python's, it comes to an end where links lead in circles, and takes a part of
    the pattern that exists as it stands for a name.
    """
    drive, rest = os.path.splitdrive(pattern)
    root = drive + rest[: len(rest) - len(rest.lstrip(_SEPARATORS))]
    parts = [part for part in re.split(f"[{re.escape(_SEPARATORS)}]", rest) if part]
    return _expand(root, parts)


def _expand(folder: str, parts: Sequence[str]) -> Iterator[str]:
    if not parts:
        yield folder
        return
    part, *rest = parts
    literal = os.path.join(folder, part)  # noqa: PTH118
    if part == "**":
        for inside in _folders_below(folder):
            yield from _expand(inside, rest or ["*"])
    elif os.path.lexists(literal) or not glob.has_magic(part):
        if os.path.lexists(literal):
            yield from _expand(literal, rest)
    else:
        with suppress(OSError, DataError):
            for found in scan(folder or os.curdir):
                name = os.path.basename(found.path)  # noqa: PTH119
                is_seen = found.kind not in (HIDDEN, SYSTEM) or part.startswith(".")
                if is_seen and fnmatch.fnmatch(name, part) and (found.is_folder or not rest):
                    yield from _expand(os.path.join(folder, name), rest)  # noqa: PTH118


def _folders_below(folder: str) -> Iterator[str]:
    """A folder and all that a walk enters in it, as they are named from where the folder is."""
    yield folder
    prefix = len(os.path.join(os.curdir, "")) if not folder else 0  # noqa: PTH118
    for path in Walker([folder or os.curdir]).folders(folder or os.curdir):
        yield path[prefix:]


def read_path_list(stream: BinaryIO) -> Iterator[str]:
    """Paths from a list, one by one as they arrive; blank ones are left out.

    Args:
        stream: paths, each followed by a line break, or by a NUL byte (`find -print0`), which
            lets names have line breaks in them.

    Raises:
        DataError: the list is written in UTF-16.
    """
    separator = b""
    rest = b""
    is_begun = False
    while chunk := stream.read1(_CHUNK_BYTES) if hasattr(stream, "read1") else stream.read():
        rest += chunk
        if not is_begun and len(rest) >= len(codecs.BOM_UTF8):
            rest, is_begun = _without_mark(rest), True
        if not separator and (b"\0" in rest or b"\n" in rest):
            separator = b"\0" if b"\0" in rest else b"\n"
        if separator:
            *paths, rest = rest.split(separator)
            yield from _decoded(paths)
    yield from _decoded([rest])


def _without_mark(start: bytes) -> bytes:
    """The start of a list without the byte order mark that some editors put there."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError("the list of photos is written in UTF-16: save it as UTF-8")
    return start.removeprefix(codecs.BOM_UTF8)


def _decoded(paths: Sequence[bytes]) -> Iterator[str]:
    for path in paths:
        if path := path.removesuffix(b"\r"):
            yield decoded_path(path)
