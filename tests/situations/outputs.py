"""Places that cannot be written."""

import resource
import shutil
from pathlib import Path

import h5py

from . import TINY, Outcome, Situation, in_process

TITLE = "Disk and folders"
INTRODUCTION = (
    "Files are written beside the old ones and renamed over them: whatever happens, the old "
    "ones stay whole, and nothing is left behind."
)


def under_quota(folder: Path, arguments: list[str]) -> Outcome:
    """Run the command where no file may grow beyond 20 MB: a model has 59."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, hard))
    try:
        return in_process(folder, arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def measurements(folder: Path) -> None:
    """An HDF5 file of something else."""
    with h5py.File(folder / "measured.h5", "w") as file:
        file["x"] = [1, 2, 3]


SITUATIONS = [
    Situation(
        "a file where the model's folder should be",
        "catsdogs train --output notes/mine.h5",
        lambda folder: (folder / "notes").touch(),
    ),
    Situation(
        "a folder where the model should be",
        "catsdogs train --output mine.h5",
        lambda folder: (folder / "mine.h5").mkdir(),
    ),
    Situation(
        "a file where the run directory should be",
        "catsdogs train",
        lambda folder: (folder / "runs").touch(),
        hidden=TINY,
    ),
    Situation(
        "a cache folder that cannot be used",
        "catsdogs train --set cache.dir=notes/cache",
        lambda folder: Path("notes").touch(),
        shows="cache",
        hidden=("--epochs", "1", *TINY),
    ),
    Situation(
        "no space for the model",
        "catsdogs train",
        # a quota on files is one on ncnn's file in memory as well, which a full disk is not
        hidden=("--epochs", "1", *TINY, "--set", "engine=keras"),
        run=under_quota,
    ),
    Situation(
        "a photo where a picture of ours would be",
        "catsdogs explain photo.png --output mine.png",
        lambda folder: shutil.copy(folder / "photo.png", folder / "mine.png"),
    ),
    Situation(
        "data in HDF5 where the model would be",
        "catsdogs train --output measured.h5",
        measurements,
    ),
    Situation("a folder of built-in photos that holds others", "catsdogs sample data"),
]
