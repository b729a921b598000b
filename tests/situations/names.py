"""Names of files and classes that mean something to a terminal or a spreadsheet."""

import json
import os
from pathlib import Path

import h5py

from . import Situation, edit_model, make_photo

TITLE = "Names"
INTRODUCTION = (
    "They are data. What acts on a terminal is written out; in JSON it is escaped; in CSV a "
    "text that a spreadsheet would take for a formula has an apostrophe in front (so has one "
    "that begins with an apostrophe: one taken off gives the text back)."
)


def name_class(name: str) -> object:
    def edit(file: h5py.File) -> None:
        record = json.loads(file.attrs["catsdogs"])
        file.attrs["catsdogs"] = json.dumps({**record, "class_names": [name, f"{name} too"]})

    return lambda folder: edit_model(folder, edit)


def photo_named(name: str) -> object:
    return lambda folder: make_photo(Path("new", name))


PREDICT = "catsdogs predict new"

SITUATIONS = [
    Situation("a photo whose name clears the screen", PREDICT, photo_named("\x1b[2Jcat.png")),
    Situation("… with a line break in it", PREDICT, photo_named("a\nb\tc.png")),
    Situation("… that is shown from right to left", PREDICT, photo_named("\u202egpj.png")),
    Situation("… that is not UTF-8", PREDICT, photo_named(os.fsdecode(b"caf\xe9.png"))),
    Situation(
        "… in CSV", f"{PREDICT} --format csv", photo_named(os.fsdecode(b"caf\xe9.png")), "new/"
    ),
    Situation(
        "… in JSON", f"{PREDICT} --format json", photo_named(os.fsdecode(b"caf\xe9.png")), "new/"
    ),
    Situation(
        "a photo that is a formula, in CSV",
        "catsdogs predict --format csv -- =1+1.png",
        lambda folder: make_photo(Path("=1+1.png")),
        "1+1",
    ),
    Situation(
        "a class that is a formula, in CSV",
        "catsdogs predict photo.png --format csv",
        name_class("=HYPERLINK(1)"),
        "path,",
    ),
    Situation(
        "a class that sets the terminal's title",
        "catsdogs predict photo.png",
        name_class("\x1b]0;mine\x07"),
    ),
    Situation(
        "a class with HTML in it, in JSON",
        "catsdogs predict photo.png --format jsonl",
        name_class("<script>alert(1)</script>"),
    ),
    Situation(
        "a class called `error`, and a photo that cannot be read",
        "catsdogs predict bad.jpg",
        lambda folder: (name_class("error")(folder), (folder / "bad.jpg").touch()),
        shows="bad.jpg",
    ),
    Situation(
        "… in CSV",
        "catsdogs predict photo.png --format csv",
        name_class("error"),
        shows="path",
    ),
]
