"""What is there already and is something else is never replaced by an answer."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import catsdogs
from catsdogs.commands.serve import name_models
from catsdogs.errors import ConfigError, DataError
from catsdogs.files import check_writable
from tests.conftest import mounted

TINY = ("--backbone", "vgg16", "--set", "model.weights=random", "--set", "model.image_size=[32,32]")


@pytest.fixture
def trained(workplace, unsure_model):
    """A current folder with a model and photos of its classes."""
    Path("models").mkdir()
    shutil.copy(unsure_model, "models/catsdogs.h5")
    generator = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        Path("data", "train", name).mkdir(parents=True)
        for number in range(3):
            pixels = generator.integers(0, 256, (40, 40, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(f"data/train/{name}/{number}.png")
    return workplace


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("manifest", "data", "--output"), "--output FILE"),
        (("review", "data", *TINY, "--output"), "--output FILE.html"),
        (("evaluate", "data", "--predictions"), "--predictions FILE"),
        (("export", "--format", "html"), ""),
        (("export", "--format", "onnx"), ""),
    ],
    ids=["manifest", "review", "predictions", "page", "onnx"],
)
@pytest.mark.parametrize("place", ["data/train/cats/0.png", "models/catsdogs.h5"])
def test_photos_and_models_are_not_replaced_by_something_else(
    trained, call, arguments, option, place
):
    before = Path(place).read_bytes()
    line = call(*arguments, place, code=1).stderr.splitlines()[-1]
    assert line.startswith(f"error: {place} cannot be written (it is there already, and no .")
    assert line.endswith(f"choose another place by {option}" if option else "another place")
    assert Path(place).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "place", "written"),
    [
        (("curve", *TINY, "--output"), "curve.jpg", ".png"),
        (("review", "data", *TINY, "--output"), "page.PDF", ".html"),
        (("manifest", "data", "--output"), "photos.xlsx", ".csv"),
        (("evaluate", "data", "--predictions"), "answers.json", ".csv"),
        (("export", "--format", "html"), "net.tflite", ".html"),
    ],
)
def test_no_file_is_named_as_what_it_is_not(trained, call, arguments, place, written):
    line = call(*arguments, place, code=1).stderr.splitlines()[-1]
    said = f"{written} is written, and its name says {Path(place).suffix.lower()}"
    assert line.startswith(f"error: {place} cannot be written ({said}): choose another place")
    assert not Path(place).exists()


@pytest.mark.parametrize("name", ["heat.jpg", "heat.PDF", "heat.webp"])
def test_no_folder_is_made_for_a_picture_of_another_format(trained, call, name):
    line = call("explain", "data/train/dogs/0.png", "--output", name, code=2).stderr
    assert line == (
        f"error: {name} is no .png, as which pictures are written: choose another name by "
        "--output PATH\n"
    )
    assert not Path(name).exists()


def test_a_manifest_leaves_out_no_folder_that_cannot_be_read(trained, call):
    folder = os.open("data/train/cats", os.O_RDONLY)
    for _ in range(45):  # too deep for a path
        os.mkdir("d" * 100, dir_fd=folder)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    line = call("manifest", "data", code=1).stderr
    assert line.startswith("error: data/train/cats/ddd")
    assert line.endswith("d cannot be read: file name too long\n")


@pytest.mark.parametrize("place", [".", "/", "..", "data"])
def test_a_folder_is_not_replaced_by_a_file(trained, call, place):
    line = call("manifest", "data", "--output", place, code=1).stderr
    assert line.startswith(f"error: {place} cannot be written (is a folder)")


def test_a_device_is_not_replaced_by_a_file(trained, call):
    line = call("manifest", "data", "--output", "/dev/null", code=1).stderr
    assert line.startswith("error: /dev/null cannot be written (it is there already, and no .csv)")
    assert not Path("/dev/null").is_file()


def test_an_answer_is_replaced_by_the_next(trained, call):
    for place in ("mine.csv", "empty.csv"):
        Path("empty.csv").touch()
        call("manifest", "data", "--output", place)
        Path("data/train/cats/0.png").unlink(missing_ok=True)
        call("manifest", "data", "--output", place)
        assert Path(place).read_text().startswith("path,label")
        assert "cats/0.png" not in Path(place).read_text()


@pytest.mark.parametrize(
    ("arguments", "place", "option"),
    [
        (("explain", "data/train/dogs/0.png", "--output"), "photo.png", "--output PATH"),
        (("curve", *TINY, "--output"), "photo.png", "--output FILE"),
        (("review", "data", *TINY, "--output"), "page.html", "--output FILE.html"),
        (("manifest", "data", "--output"), "prices.csv", "--output FILE"),
        (("evaluate", "data", "--predictions"), "prices.csv", "--predictions FILE"),
        (("evaluate", "data", "--predictions"), "data.csv", "--predictions FILE"),
        (("export",), "page.html", ""),
        (("export",), "net.onnx", ""),
    ],
    ids=["explain", "curve", "review", "manifest", "prices", "input", "page", "onnx"],
)
def test_what_is_not_of_the_command_is_not_replaced_whatever_its_ending(
    trained, call, arguments, place, option
):
    shutil.copy("data/train/cats/0.png", "photo.png")
    Path("page.html").write_text("<!DOCTYPE html><title>catsdogs and me</title>")
    Path("prices.csv").write_text("breed,price\nbeagle,1\n")
    Path("net.onnx").write_bytes(b"\x08\x08\x12\x07pytorch")
    call("manifest", "data", "--output", "data.csv")
    before = Path(place).read_bytes()
    line = call(*arguments, place, code=1).stderr.splitlines()[-1]
    assert line == (
        f"error: {place} cannot be written (it is there already, and not of this command): "
        f"choose another place{f' by {option}' if option else ''}"
    )
    assert Path(place).read_bytes() == before


def test_explanations_replace_earlier_ones_and_no_photo(trained, call):
    call("explain", "data/train/cats/0.png")
    first = Path("0.explained.png").read_bytes()
    call("explain", "data/train/dogs/0.png")
    assert Path("0.explained.png").read_bytes() != first

    Path("explained").mkdir()
    shutil.copy("data/train/cats/1.png", "explained/2.explained.png")
    line = call("explain", "data/train/dogs", code=1).stderr.splitlines()[-1]
    assert line.startswith(
        "error: explained/2.explained.png cannot be written (it is there already"
    )
    assert [path.name for path in Path("explained").iterdir()] == ["2.explained.png"]


@pytest.mark.parametrize("name", ["seen.png", "seen.jpg", "seen.webp", "seen.tif"])
def test_an_explanation_from_python_replaces_earlier_ones_and_no_photo(trained, name):
    explanation = catsdogs.load("models/catsdogs.h5").explain("data/train/cats/0.png")
    explanation.save(name)
    explanation.save(name)
    Image.new("RGB", (9, 9)).save(name)
    before = Path(name).read_bytes()
    with pytest.raises(
        DataError, match=rf"{name} cannot be written \(it is there already, and not"
    ):
        explanation.save(name)
    assert Path(name).read_bytes() == before
    with pytest.raises(DataError, match="cannot be written"):
        explanation.save("seen.blp")


def test_an_edited_manifest_keeps_its_columns(trained, call):
    text = "path,label,group\ndata/train/cats/0.png,cats,tom\n"
    Path("mine.csv").write_text(text)
    line = call("manifest", "data", "--output", "mine.csv", code=1).stderr
    assert line == (
        "error: mine.csv has a column group, which would be lost: choose another place by "
        "--output FILE\n"
    )
    assert Path("mine.csv").read_text() == text


def test_a_manifest_that_a_spreadsheet_saved_has_no_more_columns(trained, call):
    Path("mine.csv").write_text(
        "\ufeffpath,label\r\ndata/train/cats/0.png,cats\r\n", encoding="utf-8"
    )
    call("manifest", "data", "--output", "mine.csv")
    assert Path("mine.csv").read_text(encoding="utf-8").startswith("path,label")


@pytest.mark.parametrize("command", ["train", "finetune"])
def test_data_in_hdf5_are_not_replaced_by_a_model(trained, call, command):
    with h5py.File("measured.h5", "w") as file:
        file["x"] = np.arange(9)
    before = Path("measured.h5").read_bytes()
    model = () if command == "train" else ("--model", "models/catsdogs.h5")
    line = call(command, *model, "--output", "measured.h5", code=1).stderr.splitlines()[-1]
    assert line == (
        "error: measured.h5 cannot be written (it is there already, and no model of catsdogs): "
        "choose another place by --output FILE"
    )
    assert Path("measured.h5").read_bytes() == before
    os.truncate("measured.h5", 800 * 2**20)
    assert "no model of catsdogs" in call(command, *model, "--output", "measured.h5", code=1).stderr


def test_data_in_hdf5_are_not_replaced_by_the_head_that_is_set_aside(trained, call):
    place = Path("models/catsdogs.head.h5")
    with h5py.File(place, "w") as file:
        file["x"] = np.arange(9)
    before = place.read_bytes()
    line = call("finetune", code=1).stderr.splitlines()[-1]
    assert line == (
        f"error: {place} cannot be written (it is there already, and no model of catsdogs): "
        "choose another place by --output FILE"
    )
    assert place.read_bytes() == before


def test_a_link_that_leads_nowhere_is_something(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"it is there already, and no \.csv"):
        check_writable(tmp_path / "link", ending=".csv")


def test_a_saved_model_folder_with_other_files_is_left_alone(trained, call):
    Path("mine", "variables").mkdir(parents=True)
    Path("mine", "saved_model.pb").touch()
    Path("mine", "letter.txt").write_text("dear")
    line = call("export", "mine", code=1).stderr.splitlines()[-1]
    assert line == (
        "error: mine holds more than a SavedModel (mine/letter.txt), which would be lost: choose "
        "another name"
    )
    assert Path("mine", "letter.txt").read_text() == "dear"


@pytest.mark.slow
def test_paths_of_export_and_serve_begin_at_home(trained, call, monkeypatch):
    monkeypatch.setenv("HOME", str(trained / "home"))
    call("export", "~/mine.html", "--data", "data/train")
    assert (trained / "home" / "mine.html").is_file()
    assert name_models(("mine=~/m.h5",)) == {"mine": trained / "home" / "m.h5"}


def test_a_served_file_may_have_an_equals_sign_in_its_name(trained):
    shutil.copy("models/catsdogs.h5", "rate=1.h5")
    assert name_models(("rate=1.h5", "two=rate=1.h5")) == {
        "rate=1": Path("rate=1.h5"),
        "two": Path("rate=1.h5"),
    }


def test_a_served_model_has_a_name(trained):
    with pytest.raises(ConfigError, match=r"'=m\.h5' gives no name"):
        name_models(("=m.h5",))


def test_an_address_that_is_taken_is_one_line(trained, call):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = call("serve", "--port", str(port), code=1).stderr
    assert line.startswith(f"error: 127.0.0.1, port {port}, cannot be listened on (")
    assert line.endswith("): choose another by --port PORT\n")
    assert "999.1.1.1" in call("serve", "--host", "999.1.1.1", code=1).stderr


def test_a_folder_that_is_gone_is_one_line(trained, call, monkeypatch):
    Path("gone").mkdir()
    monkeypatch.chdir("gone")
    Path("../gone").rmdir()
    line = call("manifest", str(trained / "data"), code=1).stderr
    assert line == "error: the current folder is gone: change to another one\n"


def test_stored_features_that_cannot_be_deleted_are_not_called_freed(tmp_path, call):
    with mounted(tmp_path / "disk", "size=1m") as disk:
        (disk / "features" / "one").mkdir(parents=True)
        (disk / "features" / "one" / "trunk.json").write_text("{}")
        (disk / "features" / "one" / "data.mdb").write_bytes(bytes(9))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        result = call("cache", "--dir", disk, "--clear", code=1)
    assert result.stdout == ""
    assert result.stderr == (
        f"error: {disk}/features/one cannot be deleted (of 1 trunk, 1 left): its folder may not "
        "be written, or another program has it open\n"
    )


def test_a_folder_for_copies_that_cannot_be_written_is_named_first(trained, call, read_only_folder):
    Path("data/train/cats/bad.png").touch()  # not found out
    result = call("next", "data", "--copy-to", read_only_folder / "n", code=1)
    assert re.fullmatch(
        r"error: \S+/read_only/n/photo cannot be written \([a-z -]+\): choose another place by "
        r"--copy-to DIR\n",
        result.stderr,
    )


def test_answers_that_a_full_disk_cuts_off_are_gone_on_with(trained, call, small_disk):
    full, output = small_disk / "full", small_disk / "answers.jsonl"
    full.write_bytes(bytes(16 * 2**20 - 8 * 2**10))
    arguments = ("predict", *["data"] * 30, "--format", "jsonl", "--output", output)
    line = call(*arguments, code=1).stderr.splitlines()[-1]
    assert line == (
        f"error: {output} cannot be written (no space left on device): choose another place by "
        "--output FILE"
    )
    half = output.read_bytes()
    full.unlink()
    call(*arguments, "--resume")
    assert len(output.read_text().splitlines()) == 30 * 6
    assert output.read_bytes().startswith(half[: half.rindex(b"\n") + 1])


def test_copies_for_labelling_are_whole_or_not_there(trained, call, small_disk):
    (small_disk / "full").write_bytes(bytes(16 * 2**20 - 16 * 2**10))
    line = call("next", "data", "--copy-to", str(small_disk / "n"), code=1).stderr
    assert "cannot be written (no space left on device)" in line
    sizes = {path.stat().st_size for path in Path("data").rglob("*.png")}
    copies = [path for path in (small_disk / "n").rglob("*") if path.is_file()]
    assert copies
    assert {path.stat().st_size for path in copies} <= sizes


@pytest.mark.parametrize("command", [("check", "data"), ("predict",), ("review", "data")])
@pytest.mark.parametrize("content", ["", "\0" * 9, "path,label\n", "\x1b[2J\n"])
def test_a_manifest_without_its_columns_moves_nothing(trained, call, command, content):
    Path("q").mkdir()
    Path("q", "manifest.csv").write_text(content)
    line = call(*command, "--restore", "q", code=1).stderr
    assert line.startswith("error: q/manifest.csv is damaged (it ")
    assert Path("q", "manifest.csv").read_text() == content


@pytest.mark.parametrize("flags", [(), ("--clear",)])
def test_a_cache_that_is_not_there_is_not_called_empty(workplace, call, flags):
    assert call("cache", "--dir", "mistyped", *flags, code=1).stderr == (
        "error: no folder mistyped: choose another by --dir DIR\n"
    )
    Path("photo.png").touch()
    assert call("cache", "--dir", "photo.png", *flags, code=1).stderr == (
        "error: photo.png is a file: choose another by --dir DIR\n"
    )
