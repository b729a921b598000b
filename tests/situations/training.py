"""Folders to train on as they are in the real world."""

import os
import shutil
from pathlib import Path

from PIL import Image

from . import TINY, Situation, make_photo

TITLE = "Folders to train on"
INTRODUCTION = "What would spoil a training is said before it begins; photos are never changed."


def only_one_class(folder: Path) -> None:
    for split in ("train", "validation"):
        shutil.rmtree(folder / "data" / split / "dogs")


def duplicate(folder: Path) -> None:
    shutil.copy(folder / "data/train/cats/0.png", folder / "data/validation/cats/copy.png")


def two_bad(folder: Path) -> None:
    (folder / "data/train/cats/bad.png").write_text("no picture")
    os.mkfifo(folder / "data/train/dogs/pipe.png")


def conflict(folder: Path) -> None:
    shutil.copy(folder / "data/train/cats/0.png", folder / "data/train/dogs/copy.png")


def rename_class(folder: Path) -> None:
    (folder / "data/train/dogs").rename(folder / "data/train/wolves")


def other_names(folder: Path) -> None:
    (folder / "data/train").rename(folder / "data/Training")
    (folder / "data/validation").rename(folder / "data/Testing")


def level_above(folder: Path) -> None:
    (folder / "data/train").rename(folder / "data/monday")
    (folder / "data/validation").rename(folder / "data/tuesday")


def strangers_quarantine(folder: Path) -> None:
    (folder / "bad").mkdir()
    (folder / "bad" / "x.png").write_text("a key")
    (folder / "bad" / "manifest.csv").write_text(
        "from,to,reason,data\n/home/.ssh/authorized_keys,x.png,damaged,/home\n"
    )


def decisions(folder: Path, row: str) -> None:
    (folder / "decisions.csv").write_text(f"path,decision,class,content\n{row}\n")


SITUATIONS = [
    Situation("no such folder", "catsdogs train --data none"),
    Situation("a file in its place", "catsdogs train --data photo.png"),
    Situation(
        "no class folders in it",
        "catsdogs train --data photos",
        lambda folder: make_photo(folder / "photos" / "0.png"),
    ),
    Situation("one class alone", "catsdogs train", only_one_class),
    Situation(
        "validation photos, but none to train on",
        "catsdogs train",
        lambda folder: shutil.rmtree(folder / "data" / "train"),
    ),
    Situation(
        "two folders for one split",
        "catsdogs train",
        lambda folder: make_photo(folder / "data" / "val" / "cats" / "0.png"),
    ),
    Situation(
        "a class to validate that is not trained",
        "catsdogs train",
        rename_class,
    ),
    Situation(
        "a class whose name is not UTF-8",
        "catsdogs train",
        lambda folder: make_photo(folder / "data/train" / os.fsdecode(b"caf\xe9") / "0.png"),
    ),
    Situation(
        "a photo that cannot be read",
        "catsdogs train",
        lambda folder: (folder / "data/train/cats/bad.png").write_text("no picture"),
        shows="bad.png",
        hidden=("--epochs", "1", *TINY),
    ),
    Situation(
        "more photos that cannot be read than `data.max_unreadable` allows",
        "catsdogs train",
        two_bad,
        hidden=("--epochs", "1", *TINY),
    ),
    Situation("the same, checked first", "catsdogs check", two_bad, shows="unreadable"),
    Situation(
        "the same picture under two classes",
        "catsdogs check",
        conflict,
        shows="exact copies",
    ),
    Situation(
        "a copy of a validation photo among those to train on",
        "catsdogs train",
        duplicate,
        shows="also trained on",
        hidden=("--epochs", "1", *TINY),
    ),
    Situation("other classes than the model to fine-tune has", "catsdogs finetune", rename_class),
    Situation(
        "splits under other names",
        "catsdogs check",
        other_names,
        shows="taken for train",
    ),
    Situation(
        "a level above the classes whose names say no split",
        "catsdogs train",
        level_above,
    ),
    Situation(
        "a linked folder that leads in a circle",
        "catsdogs check",
        lambda folder: (folder / "data/train/cats/up").symlink_to(".."),
        shows="cats/up",
    ),
    Situation(
        "a photo of one colour",
        "catsdogs check",
        lambda folder: Image.new("RGB", (40, 40), "navy").save(folder / "data/train/cats/even.png"),
        shows="even.png",
    ),
    Situation(
        "two classes that differ in letter case alone",
        "catsdogs check",
        lambda folder: shutil.copytree(folder / "data/train/cats", folder / "data/train/Cats"),
        shows="upper and lower case",
    ),
    Situation(
        "a quarantine whose manifest is a stranger's",
        "catsdogs check --restore bad",
        strangers_quarantine,
    ),
    Situation(
        "decisions on a photo that has changed since",
        "catsdogs review --apply decisions.csv",
        lambda folder: decisions(folder, "train/cats/0.png,leave_out,,00"),
    ),
    Situation(
        "decisions that lead out of the data folder",
        "catsdogs review --apply decisions.csv",
        lambda folder: decisions(folder, "../photo.png,leave_out,,00"),
    ),
    Situation(
        "decisions without a column",
        "catsdogs review --apply decisions.csv",
        lambda folder: (folder / "decisions.csv").write_text("path,decision,class\n"),
    ),
]
