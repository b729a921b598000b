"""Class folders to photos by split and class: what lies where, before anything is read."""

import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path

from catsdogs.data.layout import (
    TEST,
    TRAIN,
    VALIDATION,
    Layout,
    class_name,
    same_but_for_case,
)
from catsdogs.data.walking import PHOTO, Tally, Walker, photos_below, scan, visible_folders
from catsdogs.errors import DataError
from catsdogs.text import counted, is_unicode, some_of


def training_folders(layout: Layout, notes: list[str]) -> dict[str, Path]:
    """Which folder holds which split; `train` alone where the photos are not split."""
    found = layout.folders()
    if TRAIN in found:
        _note_beside(layout, notes)
        return {split: found[split] for split in (TRAIN, VALIDATION) if split in found}
    lone = VALIDATION if VALIDATION in found else None
    if TEST in found and set(visible_folders(layout.root)) == set(layout.splits[TEST]):
        lone = TEST
    if lone:
        raise DataError(
            f"{layout.root} has {layout.named(lone).name}/ but no train/: "
            f"add {layout.root / 'train'}"
        )
    return {TRAIN: layout.root}


def _note_beside(layout: Layout, notes: list[str]) -> None:
    """Say what lies beside the splits and is not used."""
    for folder in layout.beside:
        count = sum(found.kind == PHOTO for found in Walker([folder]).walk(folder))
        if count:
            notes.append(f"{folder} is no split and is left out: {counted(count, 'photo')}")
    loose = sum(found.kind == PHOTO and not found.is_folder for found in scan(layout.root))
    if loose:
        notes.append(f"{layout.root}: left out, beside the splits: {counted(loose, 'photo')}")


def list_classes(
    folder: Path, notes: list[str], splits: Collection[Path] = ()
) -> dict[str, list[Path]]:
    """Class names to photo paths, those of each sorted.

    Args:
        folder: holds a folder per class.
        notes: is told what was left out.
        splits: folders in it that are splits, not classes.

    Raises:
        DataError: it holds no class folders with photos, or two that are named the same.
    """
    classes: dict[str, list[Path]] = {}
    places: dict[str, Path] = {}
    tally = Tally()
    class_folders = [place for place in visible_folders(folder) if place not in splits]
    walker, empty = Walker(class_folders), []
    for place in class_folders:
        photos = [Path(path) for path in photos_below(walker, place, tally)]
        if not photos:
            empty.append(place)
            continue
        if not is_unicode(place.name):  # no model file could hold it
            raise DataError(f"{place} is not named in UTF-8: rename the folder")
        name = class_name(place)
        if name in classes:
            raise DataError(
                f"{places[name]} and {place} have the same name, {name}, and differ only in how "
                "its letters are put together in Unicode: put their photos into one folder"
            )
        classes[name], places[name] = photos, place
    if empty:
        holds = "holds no photos and is" if len(empty) == 1 else "hold no photos and are"
        notes.append(f"{some_of(empty)} {holds} left out")
    notes.extend(
        f"{' and '.join(str(places[name]) for name in names)} are different classes, named the "
        "same but for upper and lower case"
        for names in same_but_for_case(classes)
    )
    _note_left_out(folder, tally, splits, notes)
    if not classes:
        raise DataError(
            f"{folder} has no class folders with photos: expected one folder per class, "
            f"e.g. {folder / 'cats'}"
        )
    return classes


def _note_left_out(folder: Path, tally: Tally, splits: Collection[Path], notes: list[str]) -> None:
    """Say what lies in a folder of class folders, or in these by `tally`, and is not used."""
    loose = 0
    for found in scan(folder):
        if found.kind != PHOTO:
            tally.add(found)
        loose += found.kind == PHOTO and not found.is_folder
    if tally:
        notes.append(f"{folder}: left out: {tally}")
    if loose:
        notes.append(f"{folder}: left out, in no class folder: {counted(loose, 'photo')}")
    for place in splits:
        count = sum(found.kind == PHOTO for found in Walker([place]).walk(place))
        if count and place.parent == folder:
            notes.append(
                f"{place} is taken for photos to test on later, not for a class, and is left out: "
                f"{counted(count, 'photo')}"
            )


def in_names_of(known: Sequence[str], classes: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """The same classes, each spelled as a model spells it: Unicode has two ways for a letter."""
    spelling = {unicodedata.normalize("NFC", name): name for name in known}
    return {spelling.get(name, name): paths for name, paths in classes.items()}
