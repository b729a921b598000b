"""`catsdogs sample`: unpack the built-in photos."""

import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from catsdogs.errors import DataError

ARCHIVE_NAME = "cats_and_dogs_32px.zip"


@dataclass(frozen=True)
class SampleResult:
    """Where the photos lie, and how many of them were written now."""

    folder: Path
    num_photos: int
    num_written: int


def sample(folder: Path) -> SampleResult:
    """Unpack `train/`, `validation/` and `test/`, each with `cats/` and `dogs/`.

    Photos that are there already are left alone; a folder that holds anything else in their
    place is never added to.

    Raises:
        DataError: the folder holds other photos, or cannot be written.
    """
    archive_path = resources.files("catsdogs") / "sample" / ARCHIVE_NAME
    with archive_path.open("rb") as file, zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        _refuse_strangers(folder, set(names))
        missing = [name for name in names if not (folder / name).exists()]
        try:
            archive.extractall(folder, missing)
        except OSError as error:
            raise DataError(
                f"{folder} cannot be written ({(error.strerror or str(error)).lower()}): "
                "choose another folder"
            ) from None
    return SampleResult(folder, len(names), len(missing))


def _refuse_strangers(folder: Path, names: set[str]) -> None:
    for split in sorted({name.split("/")[0] for name in names}):
        for path in sorted((folder / split).rglob("*")):
            if path.is_file() and path.relative_to(folder).as_posix() not in names:
                raise DataError(
                    f"{folder} holds other photos ({path}): choose another folder, "
                    "e.g. `catsdogs sample sample_photos`"
                )
