"""The boundary round foreign bytes: files that a stranger, an older version or an accident wrote.

What parsers raise on damaged bytes cannot be listed: any list is one type too short. So here,
and nowhere else in the package, every exception is caught, and becomes one line that names the
file. What is no ordinary file is refused before it is opened, and what is too large before it
is read.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from catsdogs.errors import CatsdogsError, DataError
from catsdogs.text import printable

MOST_REASON_CHARACTERS = 200
"""Length of what a parser says, which may repeat whole lines of the file."""

MOST_MESSAGE_CHARACTERS = 1500


class NotRegularError(OSError):
    """There is a folder, pipe, socket or device where a file should be."""


class TooLargeError(OSError):
    """A file is larger than anything that was ever written in its place."""


@contextmanager
def foreign_bytes(
    place: Path | str,
    error: type[CatsdogsError] = DataError,
    way_out: str = "",
    damage: str = "is damaged",
    tells_reason: bool = True,
    key: str | None = None,
) -> Iterator[None]:
    """Turn whatever goes wrong within into one line about a file.

    Args:
        place: the file whose bytes are looked at, or a place in it.
        error: what is raised.
        way_out: what the user can do, the end of the line.
        damage: what is said where the bytes are wrong; `cannot be read` is said where the
            system refuses them.
        tells_reason: say what the parser said; False where that explains nothing to a user.
        key: what the user sets to take the way out; see `CatsdogsError`.

    Raises:
        error: anything at all was raised within, running out of memory or of stack included.
            Errors that are meant for the user pass, cut to a bounded length.
    """
    try:
        yield
    except CatsdogsError as problem:
        problem.args = (_bounded(problem.message, MOST_MESSAGE_CHARACTERS),)
        raise
    except OSError as problem:
        verb = "cannot be read" if problem.strerror else damage
        raise _about(place, error, verb, problem, way_out, key) from None
    except Exception as problem:  # noqa: BLE001 - the one place for it, see above
        if not tells_reason:
            raise error(
                f"{_bounded(str(place), MOST_MESSAGE_CHARACTERS)} {damage}: {way_out}", key
            ) from None
        raise _about(place, error, damage, problem, way_out, key) from None


@contextmanager
def foreign_content(describe: Callable[[Exception], str]) -> Iterator[None]:
    """As `foreign_bytes`, for bytes whose file is named by whoever asked for them.

    Args:
        describe: turns what a decoder raised into the reason.

    Raises:
        DataError: anything was raised within; the reason alone.
    """
    try:
        yield
    except CatsdogsError:
        raise
    except Exception as problem:  # noqa: BLE001 - the one place for it, see above
        raise DataError(describe(problem)) from None


@contextmanager
def passed_over() -> Iterator[None]:
    """Go on behind this where bytes are damaged that nothing depends on, such as metadata."""
    with suppress(Exception):
        yield


def _about(
    place: Path | str,
    error: type[CatsdogsError],
    verb: str,
    problem: Exception,
    way_out: str,
    key: str | None,
) -> CatsdogsError:
    line = f"{_bounded(str(place), MOST_MESSAGE_CHARACTERS)} {verb} ({reason_of(problem)})"
    return error(f"{line}: {way_out}" if way_out else line, key)


def reason_of(problem: Exception) -> str:
    """What an exception says, in one printable line of bounded length."""
    match problem:
        case MemoryError():
            text = "it asks for more memory than there is"
        case RecursionError():
            text = "nested too deeply"
        case NotRegularError() | TooLargeError():
            text = problem.strerror or ""
        case OSError() if problem.strerror:
            text = problem.strerror.lower()
        case ValidationError():
            first = problem.errors(include_url=False, include_input=False)[0]
            key = ".".join(map(str, first["loc"]))
            text = first["msg"].removeprefix("Value error, ")
            text = f"{key}: {text}" if key else text
        case KeyError():
            missing = str(problem.args[0]) if problem.args else "what it should have"
            # HDF5's own sentences come as keys, too
            text = missing if missing.startswith("Unable to ") else f"it has no {missing}"
        case _:
            text = str(problem)
    return _bounded(text, MOST_REASON_CHARACTERS) or type(problem).__name__


def _bounded(text: str, most: int) -> str:
    """One printable line of at most so many characters."""
    line = printable(" ".join(text[: 4 * most].split()))
    return line if len(line) <= most else f"{line[:most]}\N{HORIZONTAL ELLIPSIS}"


def open_regular(path: Path) -> BinaryIO:
    """Open an ordinary file for reading, and nothing else: a pipe would wait for its writer.

    Raises:
        NotRegularError: it is a folder, pipe, socket or device; it was not opened.
        OSError, ValueError: it cannot be opened, or no path can be so.
    """
    _check_regular(path.stat().st_mode)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = open(os.open(path, flags), "rb")  # noqa: SIM115, PTH123 - handed to the caller
    try:
        _check_regular(os.fstat(file.fileno()).st_mode)  # another may have taken its place
    except NotRegularError:
        file.close()
        raise
    return file


def _check_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise NotRegularError(None, "a folder, not a file")
    if not stat.S_ISREG(mode):
        raise NotRegularError(None, "a pipe, socket or device, not a file")


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """A private copy of a whole file: what happens to it afterwards does not matter.

    Raises:
        TooLargeError: it has more than `max_bytes`; none of them was read.
        NotRegularError, OSError, ValueError: as `open_regular` says.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise too_large(max_bytes)
        content = file.read(max_bytes + 1)  # it may have grown
    if len(content) > max_bytes:
        raise too_large(max_bytes)
    return content


def too_large(max_bytes: int) -> TooLargeError:
    """The error for a file beyond a bound."""
    return TooLargeError(None, f"larger than {max_bytes / 2**20:,.0f} MiB")
