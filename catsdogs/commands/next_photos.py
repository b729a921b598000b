"""`catsdogs next`: which photos without a label are worth labelling first."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catsdogs.checking.label_next import choose_photos, unsureness
from catsdogs.console import Console
from catsdogs.data.batches import decode_each, num_decode_threads
from catsdogs.data.photo_paths import walk_photos
from catsdogs.data.walking import Tally
from catsdogs.errors import DataError
from catsdogs.files import (
    check_writable,
    exists,
    free_path,
    is_dir,
    lies_in,
    not_writable,
    replacing,
)
from catsdogs.model.predictor import ModelRequest, Predictor
from catsdogs.network.engines.engine import answer_batches


@dataclass(frozen=True)
class NextPhoto:
    """A photo to label.

    Attributes:
        path: as it was found.
        class_name: what the model takes it for.
        probability: of that class.
        unsureness: 1 less the lead over the next class: 0 sure, 1 undecided.
        copy_path: where a copy of it went; None where none was made.
    """

    path: Path
    class_name: str
    probability: float
    unsureness: float
    copy_path: Path | None = None


@dataclass(frozen=True)
class NextResult:
    """Photos to label.

    Attributes:
        photos: the most unsure first.
        num_photos: that were chosen among.
        unreadable: those that could not be read, with the reason.
        left_out: what else lies in the folder, counted by kind; empty: nothing.
    """

    photos: list[NextPhoto]
    num_photos: int
    unreadable: list[tuple[Path, str]]
    left_out: str


def next_photos(
    folder: Path,
    model: ModelRequest,
    count: int,
    copy_to: Path | None,
    console: Console,
) -> NextResult:
    """Choose photos that the model is unsure of and that differ from each other.

    Args:
        folder: of photos without labels.
        model: which one, a file that `catsdogs train` or `finetune` wrote.
        count: how many are wanted.
        copy_to: a folder to copy them into, which must be new or empty; None copies none.
        console: where progress is shown.

    Raises:
        CatsdogsError: model, folder or target cannot be used, or no photo can be read.
    """
    if copy_to is not None:
        _check_target(copy_to, folder)
    left_out = Tally()
    paths = [Path(path) for path in walk_photos([str(folder)], left_out)]
    predictor = Predictor(model)
    unreadable: list[tuple[Path, str]] = []
    read, probabilities, features = [], [], []
    with console.task("asking the model", len(paths)) as task:
        for path, answer in _answers(predictor, paths):
            task.advance(1)
            if isinstance(answer, str):
                unreadable.append((path, answer))
                continue
            read.append(path)
            probabilities.append(answer[0])
            features.append(answer[1].astype(np.float16))
    if not read:
        path, reason = unreadable[0]
        raise DataError(f"no photo of {folder} can be read, e.g. {path}: {reason}")
    rows = np.stack(probabilities)
    unsure = unsureness(rows)
    chosen = [
        NextPhoto(
            read[position],
            predictor.class_names[int(rows[position].argmax())],
            float(rows[position].max()),
            float(unsure[position]),
        )
        for position in choose_photos(rows, np.stack(features), count)
    ]
    if copy_to is not None:
        chosen = _copied(chosen, folder, copy_to)
    return NextResult(chosen, len(read), unreadable, str(left_out))


def _check_target(copy_to: Path, folder: Path) -> None:
    if lies_in(copy_to, folder):
        raise DataError(f"{copy_to} lies in {folder}: choose a folder beside it", key="copy_to")
    if exists(copy_to) and (not is_dir(copy_to) or any(copy_to.iterdir())):
        raise DataError(f"{copy_to} is no empty folder: choose another", key="copy_to")
    check_writable(copy_to / "photo", "copy_to")


def _answers(
    predictor: Predictor, paths: list[Path]
) -> Iterator[tuple[Path, tuple[np.ndarray, np.ndarray] | str]]:
    """For each photo probabilities `(classes,)` and features, or why it cannot be read."""
    pooled, head = predictor.head
    engine = predictor.engine_for(pooled, head.outputs[0])
    batches = decode_each(predictor.pixels, paths, engine.batch_size, num_decode_threads(0))
    for batch, outputs in answer_batches(engine, batches):
        yield from batch.failures
        if outputs:
            maps, rows = outputs
            features = maps.reshape(len(maps), -1, maps.shape[-1]).mean(axis=1)
            probabilities = predictor.as_probabilities(rows)
            yield from zip(batch.positions, zip(probabilities, features, strict=True), strict=True)


def _copied(photos: list[NextPhoto], folder: Path, target: Path) -> list[NextPhoto]:
    """Copy photos under their paths in the folder."""
    copies = []
    for photo in photos:
        inside = photo.path.relative_to(folder) if photo.path.is_relative_to(folder) else None
        copy = target / (inside or photo.path.name)
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy = free_path(copy)  # photos of a CSV may be named the same
            with replacing(copy, "copy_to") as part:  # no half photo where the disk is full
                shutil.copy2(photo.path, part)
        except OSError as error:
            raise not_writable(copy, error, "copy_to") from None
        copies.append(
            NextPhoto(photo.path, photo.class_name, photo.probability, photo.unsureness, copy)
        )
    return copies
