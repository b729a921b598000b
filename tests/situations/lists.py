"""CSVs in the place of folders, classes, groups, and photos that are sorted."""

import csv
import datetime
from pathlib import Path

from PIL import ExifTags, Image

from . import TINY, Situation

TITLE = "CSVs, classes, groups, sorting"
INTRODUCTION = (
    "Wrong rows stop a command before anything is computed. What a manifest of sorted photos "
    "names is taken away if it is what it was, and nothing else."
)


def write_csv(path: Path, *rows: tuple[str, ...]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def wrong_rows(folder: Path) -> None:
    write_csv(
        folder / "data.csv",
        ("path", "label", "split", "weight"),
        ("data/train/cats/0.png", "cats", "train", ""),
        ("data/train/cats/none.png", "cats", "train", ""),
        ("data/train/dogs/0.png", "", "train", ""),
        ("data/train/dogs/1.png", "dogs", "middle", ""),
        ("data/train/dogs/2.png", "dogs", "train", "heavy"),
        ("data/train/cats/0.png", "dogs", "train", ""),
    )


def other_columns(folder: Path) -> None:
    write_csv(folder / "data.csv", ("path", "lable"), ("data/train/cats/0.png", "cats"))


def utf_16(folder: Path) -> None:
    (folder / "data.csv").write_text("path,label\n", encoding="utf-16")


def some_splits(folder: Path) -> None:
    write_csv(
        folder / "data.csv",
        ("path", "label", "split"),
        ("data/train/cats/0.png", "cats", "train"),
        ("data/train/dogs/0.png", "dogs", ""),
    )


def one_moment(folder: Path) -> None:
    for number, split in enumerate(("train", "validation")):
        exif = Image.Exif()
        exif[ExifTags.Base.Model] = "camera"
        taken = datetime.datetime(2026, 1, 1, 12, 0, 3 * number)
        details = exif.get_ifd(ExifTags.IFD.Exif)
        details[ExifTags.Base.DateTimeOriginal] = f"{taken:%Y:%m:%d %H:%M:%S}"
        with Image.open(folder / "data" / split / "cats" / "0.png") as image:
            image.save(folder / "data" / split / "cats" / "burst.jpg", exif=exif)


def full_folder(folder: Path) -> None:
    (folder / "sorted").mkdir()
    (folder / "sorted" / "mine.txt").touch()


def strangers_manifest(folder: Path) -> None:
    (folder / "sorted").mkdir()
    header = ("from", "to", "kind", "blake2b")
    write_csv(folder / "sorted" / "manifest.csv", header, ("/x", "../data/x", "copy", ""))


def changed_copy(folder: Path) -> None:
    cats = folder / "sorted" / "cats"
    cats.mkdir(parents=True)
    (cats / "photo.png").write_text("edited")
    header = ("from", "to", "kind", "blake2b")
    rows = (header, ("/x/photo.png", "cats/photo.png", "copy", "0" * 128))
    write_csv(folder / "sorted" / "manifest.csv", *rows)


SITUATIONS = [
    Situation("a CSV with wrong rows", "catsdogs train --data data.csv", wrong_rows),
    Situation("a CSV with other columns", "catsdogs train --data data.csv", other_columns),
    Situation("a CSV in UTF-16", "catsdogs evaluate data.csv", utf_16),
    Situation("a CSV that says some splits", "catsdogs check data.csv", some_splits),
    Situation("a CSV that is not there", "catsdogs predict none.csv"),
    Situation(
        "a class that no folder has",
        "catsdogs train --set data.classes.cat=kitten",
        hidden=TINY,
    ),
    Situation(
        "a class that counts as nothing",
        "catsdogs train --set data.classes.cats=0",
        hidden=TINY,
    ),
    Situation(
        "a pattern for groups that finds nothing",
        "catsdogs train --set 'data.group=(patient[0-9]+)'",
        hidden=TINY,
    ),
    Situation(
        "a pattern that is none", "catsdogs check --set 'data.group=(patient'", hidden=("--fast",)
    ),
    Situation(
        "groups in several splits",
        "catsdogs train --set 'data.group=([0-9])[.]png'",
        hidden=TINY,
    ),
    Situation(
        "photos of one moment in two splits",
        "catsdogs train --epochs 1",
        one_moment,
        shows="taken within",
        hidden=TINY,
    ),
    Situation(
        "a folder to sort into that is not empty",
        "catsdogs predict photo.png --sort-into sorted",
        full_folder,
    ),
    Situation(
        "a folder to sort into among the photos", "catsdogs predict data --sort-into data/sorted"
    ),
    Situation(
        "a folder to sort into among the class folders",
        "catsdogs predict 'data/train/*/*.png' --sort-into data/train/new",
    ),
    Situation(
        "a manifest of sorted photos that leads elsewhere",
        "catsdogs predict --restore sorted",
        strangers_manifest,
    ),
    Situation(
        "a sorted copy that was changed",
        "catsdogs predict --restore sorted",
        changed_copy,
        shows="stays",
    ),
]
