"""`catsdogs sample`: unpack the built-in photos."""

import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from catsdogs.errors import DataError
from catsdogs.files import in_the_making, is_file

ARCHIVE_NAME = "cats_and_dogs_pets.zip"
"""See the README beside it for where the photos come from, and for their licence."""


@dataclass(frozen=True)
class SampleResult:
    """Where the photos lie, and how many of them were written now."""

    folder: Path
    num_photos: int
    num_written: int


def sample(folder: Path) -> SampleResult:
    """Unpack `train/`, `validation/` and `test/`, each with `cats/` and `dogs/`.

    Photos that are there already are left alone; a folder that holds anything else is never
    added to.

    Raises:
        DataError: the folder holds other photos, or cannot be written.
    """
    archive_path = resources.files("catsdogs") / "sample" / ARCHIVE_NAME
    with archive_path.open("rb") as file, zipfile.ZipFile(file) as archive:
        sizes = {i.filename: i.file_size for i in archive.infolist() if not i.is_dir()}
        _refuse_strangers(folder, set(sizes))
        missing = [name for name, size in sizes.items() if not _is_whole(folder / name, size)]
        try:
            for name in missing:
                with in_the_making(folder / name):
                    archive.extract(name, folder)
        except OSError as error:
            raise DataError(
                f"{folder} cannot be written ({(error.strerror or str(error)).lower()}): "
                "choose another folder"
            ) from None
    return SampleResult(folder, len(sizes), len(missing))


def _is_whole(path: Path, size: int) -> bool:
    return is_file(path) and path.stat().st_size == size


def _refuse_strangers(folder: Path, names: set[str]) -> None:
    """Refuse a folder with any other visible file in it: it would be trained on as well."""
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        is_hidden = any(part.startswith(".") for part in place.parts)
        if is_file(path) and not is_hidden and place.as_posix() not in names:
            raise DataError(
                f"{folder} holds other photos ({path}): choose another folder, "
                "e.g. `catsdogs sample sample_photos`"
            )
