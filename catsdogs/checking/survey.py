"""Every file below a data folder and what its place says, without a look inside."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from catsdogs.checking.findings import Finding
from catsdogs.data.dataset import SPLIT_FOLDERS, TEST, TRAIN, require_folder
from catsdogs.data.images import is_photo
from catsdogs.errors import DataError

_MAX_IMBALANCE = 3
"""Photos of the largest class to one of the smallest: beyond that, a figure for all classes
together says little about the small one, and catsdogs does not weight classes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a photo lies. Attributes: the file, its split, and the name of its class."""

    path: Path
    split: str
    class_name: str


@dataclass
class Survey:
    """What lies in a data folder.

    Attributes:
        root: the folder.
        photos: files that their names call photos, in class folders, by path.
        findings: what the names and places alone tell.
    """

    root: Path
    photos: list[Place] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def counts(self) -> dict[str, dict[str, int]]:
        """Splits to classes to numbers of photos."""
        found: dict[str, dict[str, int]] = {}
        for (split, name), count in sorted(
            Counter((place.split, place.class_name) for place in self.photos).items(),
            key=lambda item: (list(SPLIT_FOLDERS.values()).index(item[0][0]), item[0][1]),
        ):
            found.setdefault(split, {})[name] = count
        return found


def survey_folder(root: Path) -> Survey:
    """Find all files in a folder as `train` would see it, and what is odd about their places.

    Raises:
        DataError: there is no such folder, or no photo in it.
    """
    require_folder(root)
    survey = Survey(root)
    folders = _folders(root, survey)
    splits = {folder: SPLIT_FOLDERS[folder.name.lower()] for folder in folders if _is_split(folder)}
    if TRAIN in splits.values():
        _look_beside(root, [folder for folder in folders if folder not in splits], survey)
    else:  # the class folders themselves, and perhaps a folder to test or validate with
        classes = [folder for folder in folders if folder not in splits]
        _look_at_split(root, TRAIN, classes, survey)
    for folder, split in splits.items():
        _look_at_split(folder, split, _folders(folder, survey), survey)
        twins = [other for other, name in splits.items() if name == split]
        if len(twins) > 1 and folder == twins[0]:
            survey.findings.append(
                Finding("layout", tuple(twins), f"both are {split}: keep one of them")
            )
    if not survey.photos:
        raise DataError(
            f"{root} has no class folders with photos: expected one folder per class, "
            f"e.g. {root / 'cats'}"
        )
    survey.photos.sort(key=lambda place: place.path)
    _compare_classes(survey)
    return survey


def _is_split(folder: Path) -> bool:
    return folder.name.lower() in SPLIT_FOLDERS


def _folders(folder: Path, survey: Survey) -> list[Path]:
    """The visible folders in a folder; says why where it cannot be read."""
    try:
        found = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        survey.findings.append(_unreadable(folder, error))
        return []
    return [path for path in found if not _is_hidden(path)]


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _unreadable(path: Path, error: OSError) -> Finding:
    return Finding("unreadable", (path,), (error.strerror or str(error)).lower())


def _look_beside(root: Path, folders: list[Path], survey: Survey) -> None:
    """What lies beside the split folders, where nothing is used."""
    for path in _files(root):
        survey.findings.append(Finding("odd_file", (path,), "beside the split folders"))
    for folder in folders:
        survey.findings.append(Finding("odd_file", (folder,), "a folder that is no split"))


def _look_at_split(folder: Path, split: str, classes: list[Path], survey: Survey) -> None:
    for path in _files(folder):
        if is_photo(path):
            survey.findings.append(Finding("layout", (path,), "a photo in no class folder"))
        else:
            survey.findings.append(Finding("odd_file", (path,), _oddity(path)))
    for class_folder in classes:
        photos = list(_walk(class_folder, survey))
        survey.photos += [Place(path, split, class_folder.name) for path in photos]
        if not photos:
            survey.findings.append(Finding("layout", (class_folder,), "holds no photos"))


def _files(folder: Path) -> list[Path]:
    """All but folders, links that lead nowhere included, and hidden folders."""
    try:
        return sorted(path for path in folder.iterdir() if not path.is_dir() or _is_hidden(path))
    except OSError:  # said by `_folders`
        return []


def _oddity(path: Path) -> str:
    if not _is_hidden(path):
        return "no photo by its name"
    return "a hidden folder" if path.is_dir() else "hidden"


def _walk(folder: Path, survey: Survey) -> Iterator[Path]:
    """The photos below a folder; says what else lies there."""

    def note_error(error: OSError) -> None:
        survey.findings.append(_unreadable(Path(error.filename), error))

    for parent, folders, files in os.walk(folder, onerror=note_error):
        for name in sorted(folders):
            path = Path(parent, name)
            if _is_hidden(path):
                survey.findings.append(Finding("odd_file", (path,), _oddity(path)))
            elif path.is_symlink():
                survey.findings.append(
                    Finding("odd_file", (path,), "a link to a folder, which is not followed")
                )
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in sorted(Path(parent, name) for name in files):
            if is_photo(path):
                yield path
            else:
                survey.findings.append(Finding("odd_file", (path,), _oddity(path)))


def _compare_classes(survey: Survey) -> None:
    """Classes that some splits lack, and classes that are much smaller than others."""
    counts = survey.counts()
    names = {name for classes in counts.values() for name in classes}
    if len(names) == 1:
        survey.findings.append(
            Finding("layout", (survey.root,), f"only the class {min(names)}: two are needed")
        )
    if TRAIN not in counts:
        survey.findings.append(Finding("layout", (survey.root,), "no photos to train on"))
    for split, classes in counts.items():
        missing = sorted(names - set(classes))
        if missing and split != TEST:
            detail = f"no {split} photos of {', '.join(missing)}"
            survey.findings.append(Finding("layout", (survey.root,), detail))
        largest, smallest = (pick(classes, key=lambda n: classes[n]) for pick in (max, min))
        if classes[largest] > _MAX_IMBALANCE * classes[smallest]:
            detail = (
                f"{split}: {classes[largest]:,} of {largest}, {classes[smallest]:,} of {smallest}"
            )
            survey.findings.append(Finding("imbalance", (survey.root,), detail))
