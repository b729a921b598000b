"""Photos moved out of the way, with a manifest that brings them back. Nothing is deleted.

The manifest stands before the first file moves, and each move is a rename within a file system
or a whole copy before the original goes: a kill at any moment can be undone.
"""

import csv
import errno
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catsdogs.errors import DataError
from catsdogs.files import not_writable, replacing

MANIFEST_NAME = "manifest.csv"
_COLUMNS = ["from", "to", "reason"]


@dataclass(frozen=True)
class Move:
    """One file's way into quarantine.

    Attributes:
        source: where it came from, an absolute path.
        target: where it went, below the folder of the quarantine.
        reason: why.
    """

    source: Path
    target: Path
    reason: str


def quarantine(
    reasons: Sequence[tuple[Path, str]], root: Path, folder: Path
) -> tuple[list[Move], list[tuple[Path, str]]]:
    """Move files from a data folder into another folder, under the same relative paths.

    Args:
        reasons: the files below `root`, each with why it is moved.
        root: the data folder.
        folder: where they go; earlier moves into it stay on its manifest.

    Returns:
        The moves, and the files that could not be moved, with the reason.

    Raises:
        DataError: `folder` lies in `root`, where it would be trained on, or cannot be written.
    """
    if folder.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{folder} lies in {root}: give --quarantine a folder beside it")
    known = _read_manifest(folder) if (folder / MANIFEST_NAME).exists() else []
    taken = {move.target for move in known}
    moves = []
    for path, reason in reasons:
        target = _free_target(folder / path.relative_to(root), taken)
        taken.add(target)
        moves.append(Move(Path(os.path.abspath(path)), target, reason))  # noqa: PTH100 - links stay
    _write_manifest(folder, [*known, *moves])
    failed = []
    for move in moves:
        try:
            _move(move.source, move.target)
        except OSError as error:
            failed.append((move.source, (error.strerror or str(error)).lower()))
    unmoved = {source for source, _ in failed}
    moved = [move for move in moves if move.source not in unmoved]
    if failed:
        _write_manifest(folder, [*known, *moved])
    return moved, failed


def restore(folder: Path) -> tuple[list[Move], list[tuple[Path, str]]]:
    """Move all files of a quarantine back to where they came from.

    Returns:
        The moves that were undone, and the files that stay, with the reason: they keep
        their place on the manifest.

    Raises:
        DataError: there is no manifest, or it is damaged.
    """
    moves = _read_manifest(folder)
    undone, left = [], []
    for move in moves:
        if not os.path.lexists(move.target):
            continue  # never moved, or brought back before
        if os.path.lexists(move.source):
            left.append((move, f"{move.source} is there already"))
            continue
        try:
            _move(move.target, move.source)
        except OSError as error:
            left.append((move, (error.strerror or str(error)).lower()))
        else:
            undone.append(move)
    _write_manifest(folder, [move for move, _ in left])
    return undone, [(move.target, reason) for move, reason in left]


def _free_target(wanted: Path, taken: set[Path]) -> Path:
    target, number = wanted, 2
    while target in taken or os.path.lexists(target):
        target = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        number += 1
    return target


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
            shutil.copy2(source, part, follow_symlinks=False)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        source.unlink()


def _write_manifest(folder: Path, moves: Sequence[Move]) -> None:
    path = folder / MANIFEST_NAME
    with (
        replacing(path, "quarantine") as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for move in moves:
            writer.writerow([move.source, move.target.relative_to(folder), move.reason])
        file.flush()
        os.fsync(file.fileno())


def _read_manifest(folder: Path) -> list[Move]:
    path = folder / MANIFEST_NAME
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file))
        moves = [Move(Path(r["from"]), folder / r["to"], r["reason"]) for r in rows]
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: give a folder that --quarantine made") from None
    except OSError as error:
        raise not_writable(path, error, "restore") from None
    except (KeyError, TypeError, ValueError, csv.Error):
        raise DataError(f"{path} is damaged: expected the columns {', '.join(_COLUMNS)}") from None
    for move in moves:
        inside = os.path.normpath(move.target)
        if (
            not Path(inside).is_relative_to(os.path.normpath(folder))
            or not move.source.is_absolute()
        ):
            raise DataError(f"{path} is damaged: {move.target} does not lie in {folder}")
    return moves
