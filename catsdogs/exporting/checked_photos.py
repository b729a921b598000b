"""Photos that a model and its exported file are both asked about."""

import zipfile
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import TypeVar

from catsdogs.data.evaluation_set import find_labelled_photos
from catsdogs.data.layout import TRAIN, find_layout
from catsdogs.data.manifest import is_manifest, read_manifest
from catsdogs.data.photo_paths import walk_photos
from catsdogs.errors import DataError
from catsdogs.exporting.self_check import CheckedPhoto
from catsdogs.files import is_dir
from catsdogs.model.predictor import Predictor

Item = TypeVar("Item")

_MAX_CHECKED = 200
_NUM_CALIBRATION = 100  # photos that show how large the values between the layers become
_BUILT_IN = "cats_and_dogs_pets.zip"


def photos_to_check(folder: Path | None, predictor: Predictor) -> tuple[list[CheckedPhoto], str]:
    """Photos to ask both about, and in words which they are.

    Args:
        folder: where they lie; None: those that the model was validated with, else the
            built-in ones.
        predictor: of the model.

    Raises:
        DataError: the folder has no photos of the model's classes.
    """
    if folder is not None:
        return _of_folder(folder, predictor), f"photos in {folder}"
    trained_on = predictor.trained_on
    if trained_on is not None:
        try:
            return _of_folder(trained_on.place, predictor), f"photos in {trained_on.data.dir}"
        except DataError:
            pass  # it was trained elsewhere: the built-in photos will do
    archive_path = resources.files("catsdogs") / "sample" / _BUILT_IN
    with archive_path.open("rb") as file, zipfile.ZipFile(file) as archive:
        names = [i.filename for i in archive.infolist() if i.filename.endswith((".jpg", ".png"))]
        chosen = _spread(names, _MAX_CHECKED)
        return [CheckedPhoto(name, archive.read(name)) for name in chosen], "built-in photos"


def _of_folder(folder: Path, predictor: Predictor) -> list[CheckedPhoto]:
    trained_on = predictor.trained_on
    known, mapping = ([trained_on], trained_on.data.classes) if trained_on else ([], {})
    found = find_labelled_photos(folder, predictor.class_names, known, mapping=mapping)
    return [CheckedPhoto(str(path), path) for path in _spread(found.paths, _MAX_CHECKED)]


def photos_to_calibrate(
    predictor: Predictor, checked: Sequence[CheckedPhoto]
) -> list[CheckedPhoto]:
    """Photos that it was trained on; where they are not there, those of the self-check."""
    trained_on = predictor.trained_on
    folder = None
    if trained_on is not None and is_manifest(trained_on.place):
        with suppress(DataError):  # it was trained elsewhere
            rows = read_manifest(trained_on.place).rows
            trained = [row.path for row in rows if row.split in (TRAIN, "")]
            return [CheckedPhoto(str(path), path) for path in _spread(trained, _NUM_CALIBRATION)]
    if trained_on is not None and is_dir(trained_on.place):
        found = find_layout(trained_on.place).splits.get(TRAIN, {})
        folder = next(iter(found.values()), None)
    if folder is None:
        return _spread(checked, _NUM_CALIBRATION)
    paths = [Path(path) for path in walk_photos([str(folder)])]
    return [CheckedPhoto(str(path), path) for path in _spread(paths, _NUM_CALIBRATION)]


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many, from the first to the last."""
    step = max(1, len(items) / most)
    return [items[int(n * step)] for n in range(min(len(items), most))]
