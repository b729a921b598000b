"""What callers give by mistake: one clear error, no guess, and no waiting for ever."""

import io
import multiprocessing
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import catsdogs
from catsdogs import systems
from catsdogs.checking.quarantine import Request, quarantine, restore
from catsdogs.commands.serve import host_name
from catsdogs.config_file import settled_config
from catsdogs.data.groups import find_groups
from catsdogs.errors import CatsdogsError, ConfigError, DataError
from catsdogs.untrusted.records import read_numbered_rows


@pytest.fixture(scope="module")
def model(tmp_path_factory, unsure_model):
    path = tmp_path_factory.mktemp("given") / "m.h5"
    shutil.copy(unsure_model, path)
    return catsdogs.load(path, engine="ncnn")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


class Where:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


def test_a_photo_in_any_bytes_or_path_is_one_photo(model, photo):
    content = photo.read_bytes()
    expected = model.predict(photo)
    for given in (bytearray(content), memoryview(content), Where(photo), str(photo)):
        assert model.predict(given).probabilities == expected.probabilities


def test_a_file_object_is_not_taken_for_a_list_of_photos(model, photo):
    with photo.open("rb") as file, pytest.raises(DataError, match="BufferedReader is no photo"):
        model.predict(file)
    with pytest.raises(DataError, match="BytesIO is no photo"):
        model.predict(io.BytesIO(photo.read_bytes()))


def test_what_is_no_photo_is_a_reason_and_no_traceback(model):
    with pytest.raises(DataError, match="NUL"):
        model.predict("a\0b.png")
    with pytest.raises(DataError, match="a picture of 0 x 4 pixels"):
        model.predict(Image.new("RGB", (0, 4)))


@pytest.mark.parametrize("given", ["", None, 3, ["a"], "a\0b"])
def test_what_is_no_path_is_named(model, given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for ask in (
        catsdogs.load,
        catsdogs.check,
        catsdogs.sample,
        catsdogs.finetune,
        model.evaluate,
        model.export,
    ):
        with pytest.raises(ConfigError, match="should be a path, got"):
            ask(given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "settings",
    [
        {"engine": "fast"},
        {"precision": "half"},
        {"unknown": "little"},
        {"class_names": "ab"},
        {"class_names": [1, 2]},
        {"class_names": 2},
    ],
)
def test_settings_of_load_are_checked(model, settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        catsdogs.load(model.path, **settings)


def test_precision_of_an_export_is_checked(model, tmp_path):
    with pytest.raises(ConfigError, match="precision should be float32, float16 or int8"):
        model.export(tmp_path / "m.onnx", precision="int7")


@pytest.mark.parametrize("name", ["x", "x.unknown", "", "a\0.png"])
def test_a_picture_is_saved_under_the_name_of_one(model, photo, name):
    with pytest.raises(DataError, match="no ending of a picture's format"):
        model.explain(photo).save(name)


@pytest.mark.parametrize("key", ["data.dir", "output", "run.dir", "model.weights"])
def test_an_empty_path_is_not_the_current_folder(key):
    with pytest.raises(ConfigError, match=f"{key}: should be a path, got ''"):
        settled_config("train", None, None, {key: ""})


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--data", ""),
        ("check", ""),
        ("manifest", ""),
        ("review", ""),
        ("export", ""),
        ("next", ""),
    ],
)
def test_an_empty_argument_is_not_the_current_folder(call, arguments):
    assert "the path is empty" in call(*arguments, code=2).stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_model_of_before_a_fork_is_refused_after_it(model, photo):
    """It would wait for threads that were not copied."""

    def ask(told):
        for question in (model.predict, model.explain):
            try:
                question(photo)
            except CatsdogsError as error:
                told.send(str(error))
        told.close()

    model.predict(photo)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=ask, args=(theirs,))
    process.start()
    try:
        for _ in range(2):
            assert ours.poll(120)
            assert ours.recv().startswith(f"{model.path} was loaded before this process was forked")
    finally:
        process.kill()


def test_names_of_hosts_are_compared_as_browsers_write_them():
    assert host_name("MyBox.local") == "mybox.local"
    assert host_name("mybox:8000") == "mybox"
    assert host_name("::1") == host_name("[::1]") == host_name("[::1]:8000") == "[::1]"
    assert host_name("192.168.1.5") == "192.168.1.5"


@pytest.mark.parametrize(
    "text",
    ["\ufeffpath;decision\r\n\r\na,b;keep\r\n", "path\tdecision\n\na,b\tkeep\n"],
    ids=["semicolons", "tabs"],
)
def test_decisions_that_went_through_a_spreadsheet_are_read(tmp_path, text):
    path = tmp_path / "decisions.csv"
    path.write_bytes(text.encode())
    rows = read_numbered_rows(path, ["path", "decision"])
    assert rows == [(3, {"path": "a,b", "decision": "keep"})]


def test_decisions_in_utf_16_say_so(tmp_path):
    path = tmp_path / "decisions.csv"
    path.write_text("path,decision\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"decisions\.csv is written in UTF-16"):
        read_numbered_rows(path, ["path"])


def test_two_processes_do_not_use_one_quarantine_at_once(tmp_path):
    """Each would write a manifest without the other's rows."""
    photo, folder = tmp_path / "data" / "a.png", tmp_path / "aside"
    photo.parent.mkdir()
    photo.touch()
    folder.mkdir()
    lock = systems.lock_folder(folder, exclusively=True)
    with pytest.raises(DataError, match="another process moves photos into or out of"):
        quarantine([Request(photo, "why")], photo.parent, folder)
    assert photo.exists()
    os.close(lock)
    quarantine([Request(photo, "why")], photo.parent, folder)
    assert Path(folder, "a.png").exists()
    lock = systems.lock_folder(folder, exclusively=True)
    with pytest.raises(DataError, match="another process moves photos into or out of"):
        restore(folder, photo.parent)
    os.close(lock)
    restore(folder, photo.parent)
    assert photo.exists()


@pytest.mark.parametrize("pattern", ["(?R)+", "(a(?1))", "(?<x>a(?&x)?)+"])
def test_a_pattern_that_calls_itself_takes_no_memory(pattern):
    with pytest.raises(ConfigError, match=r"data\.group calls itself"):
        find_groups(pattern, [Path("data/a.png")], Path("data"), [])
