"""`predict --sort-into`: links or copies in a folder per class, and back."""

import csv
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from catsdogs.errors import DataError
from catsdogs.reporting.sorted_photos import SortedPhotos, folder_name, undo_sorting
from tests.conftest import BLUISH, REDDISH, mounted


@dataclass
class Answer:
    path: Path
    class_name: str = "cats"
    error: str = ""


@pytest.fixture
def folder(tmp_path, make_photos, make_tiny_model, monkeypatch):
    """photos/ with 2 reddish, 2 bluish photos and one that is none, and a model m.h5."""
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / "photos" / "a", 2, 1, REDDISH)
    make_photos(tmp_path / "photos" / "b", 2, 2, BLUISH)
    (tmp_path / "photos" / "bad.jpg").write_text("no picture")
    make_tiny_model(tmp_path / "m.h5")
    return tmp_path


def run_with_input(content, *arguments):
    from click.testing import CliRunner

    from catsdogs.cli import main

    return CliRunner().invoke(main, list(arguments), input=content)


def tree(root):
    return sorted(path.relative_to(root).as_posix() for path in Path(root).rglob("*"))


def test_photos_are_linked_into_a_folder_for_each_class_and_back(folder, call):
    before = tree("photos")
    result = call("predict", "photos", "--model", "m.h5", "--sort-into", "sorted", code=1)
    assert len(result.stdout.splitlines()) == 5
    assert result.stderr.splitlines()[-2:] == [
        "5 photos sorted into sorted; `catsdogs predict --restore sorted` undoes it",
        "1 of 5 photos could not be read",
    ]
    assert tree("sorted") == [
        "cats", "cats/1_000.png", "cats/1_001.png", "dogs", "dogs/2_000.png", "dogs/2_001.png",
        "manifest.csv", "unreadable", "unreadable/bad.jpg",
    ]  # fmt: skip
    assert Path("sorted/cats/1_000.png").readlink() == folder / "photos/a/1_000.png"
    result = call("predict", "--restore", "sorted")
    assert result.stdout == (
        "5 links and copies taken away from sorted, the photos are untouched\n"
    )
    assert not Path("sorted").exists()
    assert tree("photos") == before


def test_what_is_neither_lies_beside_the_classes(tmp_path):
    sorting = SortedPhotos(tmp_path / "sorted", ["cats", "dogs"], copies=False)
    for name in ("cats", "neither"):
        (tmp_path / f"{name}.png").write_text(name)
        sorting.place(Answer(tmp_path / f"{name}.png", name))
    assert [path for path in tree(tmp_path / "sorted") if "/" in path] == [
        "cats/cats.png", "neither/neither.png"
    ]  # fmt: skip


def test_copies_are_taken_away_unless_they_have_changed(folder, call):
    call("predict", "photos", "--model", "m.h5", "--sort-into", "sorted", "--copy", code=1)
    copy = Path("sorted/cats/1_000.png")
    assert not copy.is_symlink()
    assert copy.read_bytes() == Path("photos/a/1_000.png").read_bytes()
    copy.write_bytes(b"edited")
    Path("sorted/dogs/mine.txt").write_text("mine")
    result = call("predict", "--restore", "sorted", code=1)
    assert (
        result.stderr == "sorted/cats/1_000.png stays where it is: it is not what was put there\n"
    )
    assert tree("sorted") == ["cats", "cats/1_000.png", "dogs", "dogs/mine.txt", "manifest.csv"]
    copy.unlink()
    call("predict", "--restore", "sorted")
    assert tree("sorted") == ["dogs", "dogs/mine.txt"]


def test_the_same_name_and_the_same_file_twice(folder, call):
    Path("photos/c").mkdir()
    Path("photos/c/1_000.png").write_bytes(Path("photos/a/1_000.png").read_bytes())
    photos = ["photos/a/1_000.png", "./photos/a/1_000.png", "photos/c/1_000.png"]
    call("predict", *photos, "--model", "m.h5", "--sort-into", "sorted")
    assert tree("sorted/cats") == ["1_000-2.png", "1_000.png"]


def test_names_that_differ_in_case_alone_have_names_of_their_own(tmp_path):
    for name in ("x/A.png", "y/a.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)
    sorting = SortedPhotos(tmp_path / "sorted", ["cats"], copies=False)
    for name in ("x/A.png", "y/a.png"):
        sorting.place(Answer(tmp_path / name))
    assert tree(tmp_path / "sorted/cats") == ["A.png", "a-2.png"]


@pytest.mark.parametrize(
    ("class_name", "expected"),
    [
        ("cats", "cats"), ("../../etc", "_.._etc"), ("/etc/passwd", "_etc_passwd"), ("..", "class"),
        (".hidden", "hidden"), ("a\0b\x1b[2J\n", "a_b_[2J_"), ("", "class"), ("CON", "CON_"),
        ("nul.txt", "nul_.txt"), ("x" * 400, "x" * 150), ("\u732b" * 200, "\u732b" * 50),
        ("e\u0301", "\u00e9"), ("\udcff", "_"), ("a ", "a"),
    ],
)  # fmt: skip
def test_a_class_of_any_name_is_a_folder_in_the_folder(tmp_path, class_name, expected):
    assert folder_name(class_name) == expected
    (tmp_path / expected).mkdir()


def test_classes_whose_folders_would_be_the_same_have_folders_of_their_own(tmp_path):
    names = ["unreadable", "a/b", "a:b", "A_B", "manifest.csv"]
    sorting = SortedPhotos(tmp_path / "sorted", names, copies=False)
    for number, name in enumerate(names):
        (tmp_path / f"{number}.png").write_text(name)
        sorting.place(Answer(tmp_path / f"{number}.png", name))
    (tmp_path / "bad.png").write_text("bad")
    sorting.place(Answer(tmp_path / "bad.png", "", "damaged"))
    assert {path.parent.name: path.name for path in (tmp_path / "sorted").glob("*/*")} == {
        "unreadable": "bad.png", "unreadable-2": "0.png", "a_b": "1.png", "a_b-2": "2.png",
        "A_B-3": "3.png", "manifest.csv-2": "4.png",
    }  # fmt: skip


def test_a_folder_with_something_in_it_is_refused(folder, call):
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    result = call("predict", "photos/a", "--model", "m.h5", "--sort-into", "full", code=1)
    assert result.stderr.splitlines()[-1] == (
        "error: full is not empty: choose a new folder by --sort-into DIR"
    )
    call("predict", "photos/a", "--model", "m.h5", "--sort-into", "sorted")
    result = call("predict", "photos/a", "--model", "m.h5", "--sort-into", "sorted", code=1)
    assert "sorted holds photos that were sorted before: `catsdogs predict --restore" in (
        result.stderr
    )


def test_a_folder_among_those_that_are_asked_about_is_refused(folder, call):
    result = call("predict", ".", "--model", "m.h5", "--sort-into", "sorted", code=1)
    assert result.stderr.splitlines()[-1] == (
        "error: sorted lies in ., whose photos are asked about: choose a folder beside it "
        "by --sort-into DIR"
    )


@pytest.mark.parametrize(
    ("photos", "place", "reason"),
    [
        ("data/*/*.png", "data/x", "data/x lies in data, among the classes"),
        ("data/cats/1_000.png", "data/x", "data/x lies in data, among the classes"),
        ("data/cats", "data/sorted", "data/sorted lies in data, among the classes"),
        ("data/cats/*.png", "data/cats/sorted", "data/cats/sorted lies in data, among the"),
        ("data/dogs/deep", "data/x", "data/x lies in data, among the classes"),
        ("split/train", "split/test", "split/test lies beside split/train, where the photos"),
    ],
)
def test_sorted_photos_never_lie_among_the_classes_they_come_from(
    folder, call, photos, place, reason
):
    for path in ("data/cats", "data/dogs/deep", "split/train/cats", "split/train/dogs"):
        shutil.copytree("photos/a", path)
    before = tree(".")
    result = call("predict", photos, "--model", "m.h5", "--sort-into", place, code=1)
    line = result.stderr.splitlines()[-1]
    assert line.startswith(f"error: {reason}")
    assert line.endswith(": choose a folder elsewhere by --sort-into DIR")
    assert tree(".") == before


def test_a_list_of_photos_is_not_sorted_among_their_classes_either(folder):
    for name in ("cats", "dogs"):
        shutil.copytree("photos/a", f"data/{name}")
    result = run_with_input(
        b"data/cats/1_000.png", "predict", "-", "--model", "m.h5", "--sort-into", "data/x"
    )
    assert "error: data/x lies in" in result.stderr
    assert not list(Path("data/x").glob("*/*"))


@pytest.mark.parametrize(
    ("photos", "place"),
    [
        ("photos/a/*.png", "sorted"),
        ("photos/*/*.png", "sorted"),
        ("data/*/*.png", "sorted"),
        ("photos/a", "photos/sorted"),
        ("photos/a", "data/sorted"),
        ("split/train/cats", "split/sorted"),
    ],
)
def test_other_places_are_taken(folder, call, photos, place):
    for data in ("data", "split/train"):
        for name in ("cats", "dogs"):
            shutil.copytree("photos/a", f"{data}/{name}")
    call("predict", photos, "--model", "m.h5", "--sort-into", place)
    assert Path(place, "manifest.csv").exists()


def test_a_resumed_prediction_goes_on_sorting(folder, call):
    options = ["--model", "m.h5", "--sort-into", "sorted", "--output", "answers.jsonl"]
    call("predict", "photos/a", *options, "--format", "jsonl")
    with Path("sorted/manifest.csv").open("a") as file:
        file.write('/half/a "line')  # as a kill may leave it
    call("predict", "photos", *options, "--format", "jsonl", "--resume", code=1)
    assert len([path for path in tree("sorted") if "/" in path]) == 5
    call("predict", "--restore", "sorted")
    assert not Path("sorted").exists()


def test_what_is_missing_is_named(folder, call):
    Path("list.txt").write_text("photos/a/1_000.png\nnone.png\n")
    arguments = ["predict", "-", "--model", "m.h5", "--sort-into", "sorted"]
    result = run_with_input(Path("list.txt").read_bytes(), *arguments)
    assert "none.png is not in sorted: it does not exist" in result.stderr
    assert "1 photo sorted into sorted" in result.stderr


def test_copies_go_to_another_file_system(tmp_path):
    (tmp_path / "a.png").write_text("a")
    with mounted(tmp_path / "disk", "size=1m") as disk:
        sorting = SortedPhotos(disk / "sorted", ["cats"], copies=True)
        sorting.place(Answer(tmp_path / "a.png"))
        assert (disk / "sorted/cats/a.png").read_text() == "a"
        (tmp_path / "large.png").write_bytes(bytes(2_000_000))
        with pytest.raises(DataError, match="no space left"):
            sorting.place(Answer(tmp_path / "large.png"))
        assert tree(disk / "sorted") == ["cats", "cats/a.png", "manifest.csv"]
        assert undo_sorting(disk / "sorted") == (1, [])


def test_where_no_links_can_be_made_copies_are(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)
    (tmp_path / "a.png").write_text("a")
    sorting = SortedPhotos(tmp_path / "sorted", ["cats"], copies=False)
    sorting.place(Answer(tmp_path / "a.png"))
    assert (tmp_path / "sorted/cats/a.png").read_text() == "a"
    assert sorting.notes == [f"{tmp_path}/sorted takes no links: copies are made instead"]
    assert undo_sorting(tmp_path / "sorted") == (1, [])


def stranger(folder, *rows):
    folder.mkdir(exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["from", "to", "kind", "blake2b"], *rows])


@pytest.mark.parametrize("target", ["../victim", "/etc/x", "a/../../victim", "a/b/c", "x", "a/.."])
def test_a_strangers_manifest_leads_nowhere_else(tmp_path, target):
    (tmp_path / "victim").write_text("precious")
    stranger(tmp_path / "sorted", ["/a", target, "copy", ""])
    with pytest.raises(DataError, match="is damaged"):
        undo_sorting(tmp_path / "sorted")
    assert (tmp_path / "victim").exists()


def test_a_strangers_manifest_takes_no_files_that_are_not_its_own(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "key").write_text("precious")
    sorted_dir = tmp_path / "sorted"
    sorted_dir.mkdir()
    (sorted_dir / "behind").symlink_to(home)
    (sorted_dir / "cats").mkdir()
    (sorted_dir / "cats" / "photo.png").write_text("precious")
    (sorted_dir / "cats" / "link.png").symlink_to(home / "key")
    stranger(sorted_dir, ["/x", "behind/key", "copy", ""], ["/x", "cats/photo.png", "copy", "0"],
             ["/x", "cats/link.png", "link", ""])  # fmt: skip
    num_gone, left = undo_sorting(sorted_dir)
    assert num_gone == 0
    assert [reason for _, reason in left] == [
        "it lies behind a link", "it is not what was put there", "it is not what was put there"
    ]  # fmt: skip
    assert (home / "key").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--restore", "none"], "none/manifest.csv does not exist: give a folder that photos were"),
        (["--restore", "none", "photos"], "--restore undoes a sorting and predicts nothing: give"),
        (["photos", "--copy"], "--copy says how photos are sorted: give --sort-into DIR"),
        ([], "Missing argument 'PATH...'"),
    ],
)
def test_wrong_requests_are_one_line(folder, call, arguments, line):
    result = call("predict", *arguments, code=1 if len(arguments) == 2 and "none" in line else 2)
    assert line in result.stderr
