"""How a folder of photos is laid out: which folders in it are splits, and which are classes.

A split is called so by its name (`train`, `validation`, `val`, `valid`, `test`), or by a name that
says it (`Training`, `test_set`, `animals_train`) where it holds the same class folders as the
other ones do. Folders that hold nothing but one folder of such folders are looked through.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from catsdogs.data.walking import PHOTO, Walker, is_photo, visible_folders
from catsdogs.errors import DataError
from catsdogs.files import exists, is_dir

TRAIN, VALIDATION, TEST = "train", "validation", "test"

SPLIT_FOLDERS = {
    "train": TRAIN,
    "validation": VALIDATION,
    "val": VALIDATION,
    "valid": VALIDATION,
    "test": TEST,
}

_WORDS = {
    TRAIN: "train training trainset trainingset traindata xtrain",
    VALIDATION: "validation val valid validate valset validset validationset dev xval xvalid",
    TEST: "test testing testset testdata holdout xtest",
}
_SPLIT_OF_WORD = {word: split for split, words in _WORDS.items() for word in words.split()}

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

_MAX_WRAPPERS = 4
"""An archive in a folder in an archive is met; a deeper nest is no layout."""


@dataclass
class Layout:
    """Where the photos of a data folder lie.

    Attributes:
        root: the folder that was asked for, or the one in it that holds the splits or classes.
        splits: `train`, `validation` and `test`, as far as there are folders of them: each with
            what holds its class folders, by the folder that is named so. Empty: the root holds
            the class folders.
        beside: folders in the root that are neither splits nor, where there is a training
            split, of any use.
        notes: what was decided, a sentence each.
    """

    root: Path
    splits: dict[str, dict[Path, Path]] = field(default_factory=dict)
    beside: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def folders(self) -> dict[str, Path]:
        """The folder of class folders of each split.

        Raises:
            DataError: two folders are the same split.
        """
        for split, named in self.splits.items():
            if len(named) > 1:
                one, other, *_ = named
                raise DataError(f"{one} and {other} are both {split}: keep one of them")
        return {split: next(iter(named.values())) for split, named in self.splits.items()}

    def named(self, split: str) -> Path:
        """The folder that is named like a split."""
        return next(iter(self.splits[split]))


def require_folder(root: Path, key: str | None = None) -> None:
    """Make sure that there is a folder to look for photos in.

    Args:
        root: the folder.
        key: what the user gives another by; see `CatsdogsError`.

    Raises:
        DataError: there is none.
    """
    if not is_dir(root):
        problem = f"{root} is a file" if exists(root) else f"no folder {root}"
        raise DataError(
            f"{problem}: run `catsdogs sample` for the built-in photos, "
            "or give a folder with one folder per class in it",
            key=key,
        )


def find_layout(asked: Path, class_names: Collection[str] = ()) -> Layout:
    """Find out which folders in a data folder are splits.

    Args:
        asked: an existing folder.
        class_names: of a model, as far as it has them: a folder of photos with such a name is
            a class, whatever else the name may say.

    Raises:
        DataError: the folder cannot be read, or its folders hold the same class folders each
            and their names do not say which one is to train on.
    """
    root = _unwrap(asked, class_names, False)
    layout = Layout(root)
    if root != asked:
        layout.notes.append(f"{asked} holds {root} alone: taking that")
    folders = visible_folders(root)
    inner = {folder: _unwrap(folder, class_names, True) for folder in folders}
    classes = {folder: _class_keys(inner[folder]) for folder in folders}
    levels = [f for f in folders if classes[f] and not _has_own_photos(inner[f])]
    strict = {
        f: split
        for f in folders
        if (split := SPLIT_FOLDERS.get(f.name.lower()))
        and not (f not in levels and _key(f.name) in map(_key, class_names))
    }
    loose = {f: split for f in levels if f not in strict and (split := split_said_by(f.name))}
    if TRAIN in strict.values():
        chosen = strict | _alike(strict, loose, classes)
    else:
        chosen = _say_splits(layout.root, folders, levels, classes, strict, loose)
    trained = set().union(*(classes[f] for f, split in chosen.items() if split == TRAIN))
    for folder, split in chosen.items():
        below = inner[folder].relative_to(folder).parts
        if split != TRAIN and below and _key(below[0]) in trained:
            inner[folder] = folder  # what looks like a wrapper is its only class
        layout.splits.setdefault(split, {})[folder] = inner[folder]
        if inner[folder] != folder:
            layout.notes.append(f"{folder} holds {inner[folder]} alone: taking that")
        if folder not in strict:
            layout.notes.append(f"{folder} is taken for {split}: it holds the same classes")
    if TRAIN in layout.splits:
        layout.beside = [folder for folder in folders if folder not in chosen]
    return layout


def _say_splits(
    root: Path,
    folders: list[Path],
    levels: list[Path],
    classes: dict[Path, set[str]],
    strict: dict[Path, str],
    loose: dict[Path, str],
) -> dict[Path, str]:
    """Which folders are splits where none is called `train`."""
    said = {f: split for f, split in (strict | loose).items() if f in levels}
    unnamed = [f for f in folders if f not in levels and _holds_photos(f)]
    are_classes = [f for f in unnamed if split_said_by(f.name) is None]
    chosen = strict | _alike(said, loose, classes)
    if TRAIN in chosen.values() and (len(chosen) > 1 or not are_classes):
        return chosen
    others = [f for f in levels if f not in strict]
    if len(others) > 1 and not are_classes:
        common = set.intersection(*(classes[f] for f in others))
        if len(common) > 1 or (common and set(others) <= set(loose)):
            named = ", ".join(f.name for f in others)
            raise DataError(
                f"{root}: {named} hold the same folders each "
                f"({', '.join(sorted(common)[:5])}) and no photos of their own, so they are a "
                f"level above the classes: give {others[0]} or another one of them, or, if they "
                f"are the classes, move them into {root / 'train'}"
            )
    if len(others) == 1 and others[0] in loose and not are_classes:
        return strict | {others[0]: loose[others[0]]}
    return strict


def _alike(
    named: dict[Path, str], loose: dict[Path, str], classes: dict[Path, set[str]]
) -> dict[Path, str]:
    """Those whose names say a split and who hold classes that the training folder holds."""
    trained = set().union(*(classes[f] for f, split in named.items() if split == TRAIN))
    return {folder: split for folder, split in loose.items() if classes[folder] & trained}


def split_said_by(name: str) -> str | None:
    """The split that a folder's name says with one of its words; None where it says none, or two.

    `Training`, `x_train`, `animals-train`, `TestSet`, `2_val`; not `strain` and not `invalid`.
    """
    words = {word.lower() for word in _WORD.findall(name)} | {name.lower()}
    said = {_SPLIT_OF_WORD[word] for word in words if word in _SPLIT_OF_WORD}
    return said.pop() if len(said) == 1 else None


def split_of_word(text: str) -> str | None:
    """The split that a word in a table is: `train`, `Val`, `testing`; None: it is none."""
    return _SPLIT_OF_WORD.get(text.lower())


def class_name(folder: Path) -> str:
    """The name of a class: that of its folder, in the one Unicode form of its letters (NFC)."""
    return unicodedata.normalize("NFC", folder.name)


def _key(name: str) -> str:
    """What names of the same class have in common in different splits."""
    return unicodedata.normalize("NFC", name).casefold()


def same_but_for_case(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ in upper and lower case alone."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_key(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _class_keys(folder: Path) -> set[str]:
    """Keys of the folders with photos in a folder; empty where it cannot be read."""
    try:
        return {_key(f.name) for f in visible_folders(folder) if _holds_photos(f)}
    except DataError:  # whoever walks it gets the reason
        return set()


def holds_classes(folder: Path) -> bool:
    """Whether there is a class folder with photos in a folder."""
    return bool(_class_keys(folder))


def _holds_photos(folder: Path) -> bool:
    return any(found.kind == PHOTO for found in Walker([folder]).walk(folder))


def _has_own_photos(folder: Path) -> bool:
    try:
        return any(is_photo(path) and not is_dir(path) for path in folder.iterdir())
    except OSError:
        return False


def _unwrap(folder: Path, class_names: Collection[str], through_splits: bool) -> Path:
    """The folder in a folder that holds nothing else, where that leads to several with photos."""
    known = set(map(_key, class_names))
    inside = folder
    for _ in range(_MAX_WRAPPERS):
        if _has_own_photos(inside):
            break
        try:
            holders = [f for f in visible_folders(inside) if _holds_photos(f)]
        except DataError:
            break
        if len(holders) > 1:
            return inside
        if not holders or _key(holders[0].name) in known:
            break
        if not through_splits and split_said_by(holders[0].name):
            return inside if _class_keys(holders[0]) else folder
        inside = holders[0]
    return folder
