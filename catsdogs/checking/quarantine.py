"""Photos moved out of the way or to another class, with a manifest that brings them back.

Nothing is deleted.

The manifest stands before the first file moves, and each move is a rename within a file system
or a whole copy before the original goes: a kill at any moment can be undone.

A manifest may be a stranger's (see `quarantine_manifest.py`). It says where in a data folder a file
was, never which data folder: that is the one that the user names, or one that bears our mark with
this quarantine's path. No link is followed, on either side, and nothing is overwritten.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catsdogs import systems
from catsdogs.checking.quarantine_manifest import (
    MANIFEST_NAME,
    QuarantineRow,
    is_marked,
    mark,
    read_manifest,
    unmark,
    write_manifest,
)
from catsdogs.errors import DataError
from catsdogs.files import free_path, in_the_making, is_dir, is_same, lies_in, not_writable
from catsdogs.systems import shell_word


@dataclass(frozen=True)
class Move:
    """One file's way into quarantine, or to another place in its data folder.

    Attributes:
        source: where it came from, in the data folder.
        target: where it went, below the folder of the quarantine or in the data folder.
        reason: why it was moved, in words.
    """

    source: Path
    target: Path
    reason: str


@dataclass(frozen=True)
class Request:
    """A file that shall move.

    Attributes:
        path: where it lies, in the data folder.
        reason: why.
        target: where it goes in the data folder; None: into the quarantine.
    """

    path: Path
    reason: str
    target: Path | None = None


def quarantine(
    requests: Sequence[Request], root: Path, folder: Path
) -> tuple[list[Move], list[tuple[Path, str]]]:
    """Move files from a data folder into another folder, under the same relative paths.

    Or, where a request says so, to another place in the data folder. Nothing is overwritten: a
    number behind the name makes it another one.

    Args:
        requests: the files below `root`.
        root: the data folder.
        folder: where they go; earlier moves into it stay on its manifest.

    Returns:
        The moves, and the files that could not be moved, with the reason.

    Raises:
        DataError: `folder` lies in `root`, where it would be trained on, or cannot be written.
    """
    if lies_in(folder, root):
        raise DataError(f"{folder} lies in {root}: choose a folder beside it", key="quarantine")
    if not requests:
        return [], []
    with _alone(folder):
        return _carry_out(requests, root, folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from a quarantine: each would write a manifest without the other's rows.

    Raises:
        DataError: another one has it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = systems.lock_folder(folder, exclusively=True)
    except BlockingIOError:
        raise DataError(
            f"another process moves photos into or out of {folder}: wait for it"
        ) from None
    except OSError as error:
        raise not_writable(folder / MANIFEST_NAME, error, "quarantine") from None
    try:
        yield
    finally:
        os.close(lock)


def _carry_out(
    requests: Sequence[Request], root: Path, folder: Path
) -> tuple[list[Move], list[tuple[Path, str]]]:
    known = read_manifest(folder) if os.path.lexists(folder / MANIFEST_NAME) else []
    taken = {row.place(root, folder) for row in known}
    home = os.path.abspath(root)  # noqa: PTH100 - links stay
    moves, rows, failed = [], [], []
    for request in requests:
        path, within = request.path, request.target is not None
        wanted = request.target or folder / path.relative_to(root)
        if link := first_link(root, path) or first_link(root, wanted):
            failed.append((path, f"it lies behind a link, {link}"))
            continue
        target = free_path(wanted, taken)
        taken.add(target)
        moves.append(Move(path, target, request.reason))
        inside = path.relative_to(root).as_posix()
        relative = target.relative_to(root if within else folder).as_posix()
        rows.append(QuarantineRow(home, inside, relative, request.reason, within))
    if not moves:
        return [], failed
    write_manifest(folder, [*known, *rows])
    mark(root, folder)
    for move in moves:
        try:
            _move(move.source, move.target)
        except OSError as error:
            failed.append((move.source, (error.strerror or str(error)).lower()))
    unmoved = {source for source, _ in failed}
    moved = [move for move in moves if move.source not in unmoved]
    if len(moved) < len(moves):
        kept = [row for row, move in zip(rows, moves, strict=True) if move.source not in unmoved]
        write_manifest(folder, [*known, *kept])
    return moved, failed


def restore(folder: Path, root: Path | None) -> tuple[list[Move], list[tuple[Path, str]]]:
    """Move all files of a quarantine back to where they came from in their data folder.

    Args:
        folder: of the quarantine.
        root: the data folder, as the user names it; None takes the one that the manifest names
            where that bears our mark.

    Returns:
        The moves that were undone, and the files that stay, with the reason: they keep
        their place on the manifest.

    Raises:
        DataError: there is no manifest, it is damaged, or it is of another data folder. Nothing
            has moved then.
    """
    read_manifest(folder)  # nothing is made where there is none
    with _alone(folder):
        return _undo(folder, root)


def _undo(folder: Path, root: Path | None) -> tuple[list[Move], list[tuple[Path, str]]]:
    rows = read_manifest(folder)
    root = _home_of(rows, folder, root)
    undone, left, kept = [], [], []
    # what moved within the data folder more than once goes back the way it came
    outside = [row for row in rows if not row.within]
    for row in [*outside, *reversed([row for row in rows if row.within])]:
        move = Move(root / row.inside, row.place(root, folder), row.reason)
        if not _is_same(row.home, root):
            left.append((move.target, f"it is of the data folder {row.home}"))
            kept.append(row)
            continue
        if not os.path.lexists(move.target):
            continue  # never moved, or brought back before
        try:
            _bring_back(move, root, root if row.within else folder)
        except OSError as error:
            left.append((move.target, (error.strerror or str(error)).lower()))
            kept.append(row)
        else:
            undone.append(move)
    write_manifest(folder, [row for row in rows if row in kept])
    if not kept:
        unmark(root, folder)
    return undone, left


def _bring_back(move: Move, root: Path, start_of_target: Path) -> None:
    """Move one file; raises OSError with the reason where it must stay."""
    for start, path in ((start_of_target, move.target), (root, move.source)):
        if link := first_link(start, path):
            raise OSError(None, f"it lies behind a link, {link}")
    mode = os.lstat(move.target).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise OSError(None, "it is no file")
    if os.path.lexists(move.source):
        raise OSError(None, f"{move.source} is there already")
    _move(move.target, move.source)


def _home_of(rows: Sequence[QuarantineRow], folder: Path, root: Path | None) -> Path:
    """The data folder that a quarantine was made of."""
    homes = sorted({row.home for row in rows})
    if not homes:
        return root or folder
    if root is not None and not is_dir(root):
        raise DataError(f"no folder {root}: name the data folder that was checked")
    if len(homes) > 1:
        homes = [home for home in homes if root is not None and _is_same(home, root)] or homes
    home = Path(homes[0])
    if root is not None and _is_same(homes[0], root):
        return root
    if root is None and is_marked(home, folder):
        return home
    raise DataError(
        f"{folder / MANIFEST_NAME} is of the data folder {home}, which is not the one that was "
        f"named and does not know of it: nothing is moved; if it is right, give "
        f"`catsdogs check {shell_word(str(home))} --restore {shell_word(str(folder))}`"
    )


def _is_same(home: str, root: Path) -> bool:
    return is_same(Path(home), root)


def first_link(start: Path, path: Path) -> Path | None:
    """The first folder between one and a path below it that is a link; None where none is.

    What lies behind it lies elsewhere, whatever its path says.
    """
    for parent in reversed(path.parents):
        if parent != start and parent.is_relative_to(start) and os.path.islink(parent):  # noqa: PTH114
            return parent
    return None


def _move(source: Path, target: Path) -> None:
    """Rename, or copy and then unlink where that is another file system; never over a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        raise FileExistsError(None, "there is a file already")
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:  # the other one is another file system
            raise
        part = target.with_name(f".{target.name}.part")
        try:
            with in_the_making(part):
                shutil.copy2(source, part, follow_symlinks=False)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        source.unlink()
