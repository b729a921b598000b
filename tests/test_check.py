"""`catsdogs check` on folders with all that can be wrong with them."""

import csv
import io
import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from catsdogs.checking.near_copies import find_near_copies, signature_of
from catsdogs.cli import main
from catsdogs.commands.check import CheckResult
from catsdogs.reporting.findings import findings_as_text


def call(*arguments, code):
    result = CliRunner().invoke(main, ["check", *map(str, arguments)])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


def draw(seed, size=(96, 128)):
    """A picture of soft blobs: like a photo, it survives shrinking, and differs with the seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """6 + 6 photos to train on, 3 + 3 for validation, nothing wrong with them."""
    monkeypatch.chdir(tmp_path)
    seed = 0
    for split, count in (("train", 6), ("validation", 3)):
        for name in ("cats", "dogs"):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                draw(seed).save(folder / f"{number}.png")
                seed += 1
    return tmp_path / "data"


def found(*arguments, code=1):
    """Kinds, details and paths below `data` of all findings."""
    report = json.loads(call("--format", "json", *arguments, code=code).stdout)
    assert report["is_clean"] == (code == 0)
    return [
        (f["kind"], f["detail"], [path.removeprefix("data/") for path in f["paths"]])
        for f in report["findings"]
    ]


def test_clean_folder_is_a_table_and_exit_0(data):
    assert call(code=0).stdout == (
        "train            12 photos: 6 cats, 6 dogs\n"
        "validation        6 photos: 3 cats, 3 dogs\n"
        "\n"
        "nothing found\n"
    )
    assert found(code=0) == []


def test_findings_are_counted_and_then_named(data):
    (data / "train/cats/0.png").write_bytes(b"no picture")
    shutil.copy(data / "train/cats/1.png", data / "validation/cats/copy.png")
    shutil.copy(data / "train/cats/2.png", data / "train/dogs/copy.png")
    (data / "train/cats/.DS_Store").write_text("")
    assert call(code=1).stdout == (
        "train            13 photos: 6 cats, 7 dogs\n"
        "validation        7 photos: 4 cats, 3 dogs\n"
        "\n"
        "      1  unreadable or damaged\n"
        "      1  copies under several classes\n"
        "      1  copies in several splits\n"
        "      1  files that are left out  (a note)\n"
        "\n"
        "unreadable or damaged:\n"
        "  data/train/cats/0.png  (not a picture, or damaged at its start)\n"
        "\n"
        "copies under several classes:\n"
        "  data/train/cats/2.png = data/train/dogs/copy.png  (exact copies: cats and dogs)\n"
        "\n"
        "copies in several splits:\n"
        "  data/train/cats/1.png = data/validation/cats/copy.png  "
        "(exact copies: train and validation)\n"
        "\n"
        "files that are left out:\n"
        "  data/train/cats/.DS_Store  (hidden)\n"
    )


def test_json_holds_everything(data):
    (data / "train/cats/0.png").write_bytes(b"")
    report = json.loads(call("--format", "json", code=1).stdout)
    assert report.pop("seconds") >= 0
    assert report == {
        "folder": "data",
        "is_clean": False,
        "num_photos": 18,
        "photos": {"train": {"cats": 6, "dogs": 6}, "validation": {"cats": 3, "dogs": 3}},
        "num_findings": {"unreadable": 1},
        "findings": [
            {
                "kind": "unreadable",
                "is_note": False,
                "detail": "not a picture, or damaged at its start",
                "paths": ["data/train/cats/0.png"],
            }
        ],
    }


def test_each_fault_of_a_file_is_named(data):
    whole = (data / "train/cats/0.png").read_bytes()
    (data / "train/cats/0.png").write_bytes(whole[: len(whole) // 2])
    (data / "train/cats/1.png").rename(data / "train/cats/1.jpg")
    draw(50, (31, 200)).save(data / "train/cats/2.png")
    draw(51).save(data / "train/cats/3.gif", save_all=True, append_images=[draw(52)])
    (data / "train/dogs/link.jpg").symlink_to("nowhere.jpg")
    head = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunks = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    chunks += bytes(4) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    (data / "train/dogs/large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    os.mkfifo(data / "train/dogs/pipe.jpg")
    assert found() == [
        ("unreadable", "damaged: image file is truncated", [
            "train/cats/0.png"
        ]),
        ("unreadable", "no such file or directory", ["train/dogs/link.jpg"]),
        ("unreadable", "a pipe, socket or device, not a file", ["train/dogs/pipe.jpg"]),
        (
            "too_large",
            "20000 x 20000 pixels would take 1.6 GB of memory, more than the 1 GB that a photo may",
            ["train/dogs/large.png"],
        ),
        ("too_small", "200 x 31 pixels", ["train/cats/2.png"]),
        ("wrong_suffix", "holds PNG", ["train/cats/1.jpg"]),
        ("several_frames", "GIF", ["train/cats/3.gif"]),
    ]  # fmt: skip


def test_fast_decodes_nothing_and_finds_exact_copies(data):
    whole = (data / "train/cats/0.png").read_bytes()
    (data / "train/cats/0.png").write_bytes(whole[: len(whole) // 2])
    shutil.copy(data / "train/cats/1.png", data / "validation/cats/copy.png")
    draw(2, (60, 80)).save(data / "validation/cats/shrunk.png")
    assert found("--fast") == [
        (
            "leak",
            "exact copies: train and validation",
            ["train/cats/1.png", "validation/cats/copy.png"],
        )
    ]


def test_copies_of_another_size_and_format_are_near_copies(data):
    image = Image.open(data / "train/cats/1.png")
    image.resize((70, 52)).save(data / "train/cats/shrunk.jpg", quality=70)
    image.resize((200, 150)).save(data / "validation/cats/grown.webp", quality=60)
    Image.open(data / "train/dogs/3.png").save(data / "train/cats/dog.jpg", quality=80)
    Image.open(data / "train/dogs/4.png").save(data / "train/dogs/again.bmp")
    assert found() == [
        (
            "label_conflict",
            "near copies: cats and dogs",
            ["train/cats/dog.jpg", "train/dogs/3.png"],
        ),
        (
            "leak",
            "near copies: train and validation",
            ["train/cats/1.png", "train/cats/shrunk.jpg", "validation/cats/grown.webp"],
        ),
        ("duplicate", "near copies", ["train/dogs/4.png", "train/dogs/again.bmp"]),
    ]  # fmt: skip


def test_even_pictures_and_unreadable_ones_are_no_copies_of_each_other(data):
    for number, level in enumerate((0, 1, 255)):
        Image.new("RGB", (64, 64), (level, level, level)).save(
            data / f"train/cats/even{number}.png"
        )
        (data / f"train/dogs/empty{number}.png").write_bytes(b"")
    assert {kind for kind, _, _ in found()} == {"flat", "unreadable"}


def test_folders_that_do_not_fit_together_are_named(data):
    shutil.rmtree(data / "validation/dogs")
    (data / "validation/birds").mkdir()
    (data / "extra").mkdir()
    (data / "notes.txt").write_text("")
    (data / "train/cats/deep").mkdir()
    (data / "train/cats/deep/Thumbs.db").write_text("")
    shutil.copytree(data / "train", data / "Train")
    for path in (data / "Train").rglob("*.png"):
        path.unlink()
    draw(80).save(data / "train/loose.png")
    assert found() == [
        ("layout", "no validation photos of dogs", ["data"]),
        ("layout", "both are train: keep one of them", ["Train", "train"]),
        ("layout", "holds no photos", ["Train/cats"]),
        ("layout", "holds no photos", ["Train/dogs"]),
        ("layout", "a photo in no class folder", ["train/loose.png"]),
        ("layout", "holds no photos", ["validation/birds"]),
        ("odd_file", "no photo by its name", ["Train/cats/deep/Thumbs.db"]),
        ("odd_file", "a folder that is no split", ["extra"]),
        ("odd_file", "beside the split folders", ["notes.txt"]),
        ("odd_file", "no photo by its name", ["train/cats/deep/Thumbs.db"]),
    ]


def test_classes_of_very_different_size_are_a_finding(data):
    for number in range(1, 6):
        (data / f"train/dogs/{number}.png").unlink()
    assert found() == [("imbalance", "train: 6 of cats, 1 of dogs", ["data"])]


def test_class_folders_alone_are_checked_as_train_would_split_them(data):
    for name in ("cats", "dogs"):
        shutil.move(data / "train" / name, data / name)
    shutil.rmtree(data / "train")
    shutil.rmtree(data / "validation")
    shutil.copy(data / "cats/0.png", data / "cats/copy.png")
    assert found() == [("duplicate", "exact copies", ["cats/0.png", "cats/copy.png"])]


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        (
            "nowhere",
            "no folder nowhere: run `catsdogs sample` for the built-in photos, "
            "or give a folder with one folder per class in it",
        ),
        (
            "file",
            "file is a file: run `catsdogs sample` for the built-in photos, "
            "or give a folder with one folder per class in it",
        ),
        (
            "empty",
            "empty has no class folders with photos: expected one folder per class, "
            "e.g. empty/cats",
        ),
    ],
)
def test_folder_that_cannot_be_checked_is_one_line(data, folder, message):
    (data.parent / "file").write_text("")
    (data.parent / "empty").mkdir()
    result = call(folder, code=1)
    assert (result.stdout, result.stderr) == ("", f"error: {message}\n")


def contents(folder):
    """Relative paths to contents."""
    return {
        p.relative_to(folder): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name != ".catsdogs-quarantine"
    }


def spoil(data):
    (data / "train/cats/0.png").write_bytes(b"no picture")
    (data / "train/cats/odd,\nname.png").write_bytes(b"")
    shutil.copy(data / "train/cats/2.png", data / "train/dogs/copy.png")
    shutil.copy(data / "train/cats/1.png", data / "train/cats/harmless.png")


def test_findings_end_with_what_can_be_done_about_them(data):
    review = "`catsdogs review data` shows labels that may be wrong"
    assert call(code=0).stderr == ""
    draw(99, (30, 30)).save(data / "train/cats/small.png")
    assert call(code=1).stderr == f"next: {review}\n"
    (data / "train/cats/torn.png").write_bytes(b"")
    assert call(code=1).stderr == (
        f"next: --quarantine DIR moves what is useless or under several classes; {review}\n"
    )
    assert call("--format", "json", code=1).stderr == ""


def test_commands_that_are_named_can_be_typed_whatever_a_folder_is_called(data):
    spoil(data)
    data.rename("my photos")
    result = call("my photos", code=1)
    assert result.stderr.endswith("`catsdogs review 'my photos'` shows labels that may be wrong\n")
    result = call("my photos", "--quarantine", "not these", code=1)
    assert "; `catsdogs check --restore 'not these'` brings them back" in result.stderr
    assert call("--restore", "not these", code=0).stdout


def test_quarantine_moves_what_is_bad_and_restore_brings_it_back(data):
    spoil(data)
    before = contents(data)
    result = call("--quarantine", "bad", code=1)
    assert result.stderr == (
        "4 files moved to bad; `catsdogs check --restore bad` brings them back\n"
    )
    bad = data.parent / "bad"
    with (bad / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"from": str(data / name), "to": name, "reason": reason, "data": str(data)}
        for name, reason in [
            (
                "train/cats/0.png",
                "unreadable or damaged: not a picture, or damaged at its start",
            ),
            ("train/cats/2.png", "copies under several classes: exact copies: cats and dogs"),
            (
                "train/cats/odd,\nname.png",
                "unreadable or damaged: not a picture, or damaged at its start",
            ),
            ("train/dogs/copy.png", "copies under several classes: exact copies: cats and dogs"),
        ]
    ]
    assert len(contents(data)) == len(before) - 4
    assert found() == [
        ("duplicate", "exact copies", ["train/cats/1.png", "train/cats/harmless.png"])
    ]
    assert call("--restore", "bad", code=0).stdout == "4 files brought back from bad\n"
    assert contents(data) == before
    assert call("--restore", "bad", code=0).stdout == "0 files brought back from bad\n"


def test_second_quarantine_adds_to_the_first_and_overwrites_nothing(data):
    path = data / "train/cats/0.png"
    path.write_bytes(b"one")
    call("--quarantine", "bad", code=1)
    path.write_bytes(b"two")
    call("--quarantine", "bad", code=1)
    bad = data.parent / "bad"
    assert (bad / "train/cats/0.png").read_bytes() == b"one"
    assert (bad / "train/cats/0-2.png").read_bytes() == b"two"
    result = call("--restore", "bad", code=1)
    assert result.stdout == "1 file brought back from bad\n"
    assert result.stderr == f"bad/train/cats/0-2.png stays where it is: {path} is there already\n"
    assert path.read_bytes() == b"one"
    path.unlink()
    call("--restore", "bad", code=0)
    assert path.read_bytes() == b"two"


def test_quarantine_that_was_killed_between_two_moves_is_undone(data):
    spoil(data)
    before = contents(data)
    call("--quarantine", "bad", code=1)
    bad = data.parent / "bad"
    (bad / "train/cats/2.png").rename(data / "train/cats/2.png")  # as if it had not been moved yet
    assert call("--restore", "bad", code=0).stdout == "3 files brought back from bad\n"
    assert contents(data) == before


def test_quarantine_across_file_systems_copies_before_it_removes(data):
    other = Path("/dev/shm")
    if not os.access(other, os.W_OK) or other.stat().st_dev == data.stat().st_dev:
        pytest.skip("there is no second file system to write to")
    spoil(data)
    before = contents(data)
    bad = other / f"catsdogs-{os.getpid()}"
    try:
        call("--quarantine", bad, code=1)
        assert len(contents(data)) == len(before) - 4
        call("--restore", bad, code=0)
    finally:
        shutil.rmtree(bad)
    assert contents(data) == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["--quarantine", "data/bad"],
            1,
            "data/bad lies in data: choose a folder beside it by --quarantine DIR",
        ),
        (
            ["--restore", "data"],
            1,
            "data/manifest.csv does not exist: give a folder that photos were moved to "
            "by --restore DIR",
        ),
        (
            ["--restore", "damaged"],
            1,
            "damaged/manifest.csv is damaged (it has no from): "
            "expected the columns from, to, reason, data",
        ),
        (
            ["--restore", "hostile"],
            1,
            "hostile/manifest.csv is damaged (it has no data): "
            "expected the columns from, to, reason, data",
        ),
        (
            ["--restore", "a", "--quarantine", "b"],
            2,
            "--quarantine and --restore contradict each other: give one of them",
        ),
    ],
)
def test_wrong_quarantine_is_one_line_and_moves_nothing(data, arguments, code, message):
    for name, text in (("damaged", "a,b\n1,2\n"), ("hostile", "from,to,reason\n/x,../secret,\n")):
        (data.parent / name).mkdir()
        (data.parent / name / "manifest.csv").write_text(text)
    (data / "train/cats/0.png").write_bytes(b"no picture")
    before = contents(data.parent)
    assert call(*arguments, code=code).stderr == f"error: {message}\n"
    assert contents(data.parent) == before


def test_names_with_escapes_do_not_reach_the_terminal(data):
    (data / "train/cats/\x1b[2J\n.png").write_bytes(b"")
    output = call(code=1).stdout
    assert "  data/train/cats/\\x1b[2J\\n.png  (not a picture" in output
    assert "\x1b" not in output


def test_near_copies_are_found_among_thousands_of_others():
    images = [draw(seed, (24, 32)) for seed in range(1500)]
    for number in range(0, 1500, 100):
        images.append(images[number].resize((48, 40)))
    buffer = io.BytesIO()
    images[7].save(buffer, "JPEG", quality=60)
    images.append(Image.open(buffer).convert("RGB"))
    expected = [(0, 1500), (7, 1515), *((100 * n, 1500 + n) for n in range(1, 15))]
    assert find_near_copies([signature_of(image) for image in images]) == expected


def test_many_copies_of_one_picture_are_tied_together_without_all_pairs():
    signature = signature_of(draw(0))
    pairs = find_near_copies([signature] * 2000)
    assert len(pairs) < 32 * 2000
    assert {other for one, other in pairs if one == 0} == set(range(1, 2000))


def plant(folder, *rows):
    """A quarantine that a stranger made, with a manifest of these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("from", "to", "reason", "data"), *rows])


def everything(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("{out}/home/.ssh/authorized_keys", "x.png"),
        ("{out}/home/../../etc/key", "x.png"),
        ("{data}/../key.png", "x.png"),
        ("{data}/./key.png", "x.png"),
        ("{data}//key.png", "x.png"),
        ("key.png", "x.png"),
        ("{data}/key.png", "../x.png"),
        ("{data}/key.png", "a/../../x.png"),
        ("{data}/key.png", "."),
        ("{data}/key.png", ""),
        ("{data}/key.png", "{out}/x.png"),
        ("{data}/key.png", "manifest.csv"),
        ("{data}/k\0ey.png", "x.png"),
        ("{data}", "x.png"),
    ],
)
@pytest.mark.parametrize("home", ["{data}", "{out}/home"])
@pytest.mark.parametrize("named", [True, False])
def test_a_strangers_manifest_moves_nothing_and_is_one_line(data, source, target, home, named):
    places = {"data": data, "out": data.parent}
    bad = data.parent / "bad"
    plant(bad, [text.format(**places) for text in (source, target, "why", home)])
    (bad / "x.png").write_bytes(b"a key")
    before = everything(data.parent)
    result = call("--restore", "bad", *(["data"] if named else []), code=1)
    assert result.stdout == ""
    assert result.stderr.startswith("error: bad/manifest.csv ")
    assert result.stderr.count("\n") == 1
    assert everything(data.parent) == before


def test_restore_follows_no_link_on_either_side(data):
    elsewhere = data.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.png").write_bytes(b"mine")
    bad = data.parent / "bad"
    plant(
        bad,
        (data / "train/cats/new.png", "link/mine.png", "", data),
        (data / "train/linked/new.png", "x.png", "", data),
        (data / "train/cats/0.png", "y.png", "", data),
        (data / "train/cats/whole.png", "folder", "", data),
    )
    (bad / "link").symlink_to(elsewhere)
    (bad / "folder").mkdir()
    (data / "train/linked").symlink_to(elsewhere)
    for name in ("x.png", "y.png"):
        (bad / name).write_bytes(b"theirs")
    before = everything(data.parent)
    result = call("data", "--restore", "bad", code=1)
    assert result.stdout == "0 files brought back from bad\n"
    assert sorted(result.stderr.splitlines()) == [
        "bad/folder stays where it is: it is no file",
        "bad/link/mine.png stays where it is: it lies behind a link, bad/link",
        "bad/x.png stays where it is: it lies behind a link, data/train/linked",
        "bad/y.png stays where it is: data/train/cats/0.png is there already",
    ]
    assert everything(data.parent) == before


def test_what_lies_behind_a_linked_folder_is_not_moved(data):
    elsewhere = data.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "bad.png").write_bytes(b"no picture")
    (data / "train/cats/linked").symlink_to(elsewhere)
    result = call("--quarantine", "bad", code=1)
    assert result.stderr == (
        "data/train/cats/linked/bad.png could not be moved: it lies behind a link, "
        "data/train/cats/linked\n0 files moved to bad\n"
    )


def test_no_cell_of_the_manifest_is_a_formula_and_all_comes_back(data):
    names = ("=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "'quoted")
    for number, name in enumerate(names):
        for split in ("train", "validation"):
            (data / split / name).mkdir()
            draw(60 + number + 10 * len(split)).save(data / split / name / "good.png")
        (data / "train" / name / "bad.png").write_bytes(b"no picture")
    shutil.move(data / "train", data.parent / "plain")
    shutil.rmtree(data / "validation")
    before = contents(data.parent / "plain")
    call("plain", "--quarantine", "aside", code=1)
    with (data.parent / "aside" / "manifest.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert call("--restore", "aside", code=0).stdout == "5 files brought back from aside\n"
    assert contents(data.parent / "plain") == before
    assert not (data.parent / "plain" / ".catsdogs-quarantine").exists()


def test_a_quarantine_of_another_folder_is_not_restored_into_the_named_one(data):
    spoil(data)
    call("--quarantine", "bad", code=1)
    (data.parent / "other").mkdir()
    result = call("other", "--restore", "bad", code=1)
    assert result.stderr == (
        f"error: bad/manifest.csv is of the data folder {data}, which is not the one that was "
        "named and does not know of it: nothing is moved; if it is right, give "
        f"`catsdogs check {data} --restore bad`\n"
    )
    (data / ".catsdogs-quarantine").unlink()
    call("--restore", "bad", code=1)
    assert call("data", "--restore", "bad", code=0).stdout == "4 files brought back from bad\n"


def test_of_many_classes_the_smallest_and_the_largest_are_named():
    counts = {f"breed{number}": 30 - number for number in range(1, 13)}
    found = CheckResult(Path("data"), {"train": counts, "test": {"breed1": 4}}, [], None, [], 1.0)
    assert list(findings_as_text(found)) == [
        "train           282 photos: 12 classes of 18 (breed12) to 29 (breed1) each",
        "test              4 photos: 4 breed1",
        "",
        "nothing found",
    ]
