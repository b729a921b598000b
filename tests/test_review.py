"""`catsdogs review`: what it finds, what its decisions move, and how all of it comes back."""

import base64
import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from catsdogs.checking.decisions import read_decisions
from catsdogs.checking.suspects import Suspect
from catsdogs.commands.review import ReviewResult
from catsdogs.data.contents import hash_content
from catsdogs.errors import DataError
from catsdogs.reporting.suspect_list import suspects_as_text
from tests.conftest import BLUISH, REDDISH

pytestmark = pytest.mark.slow

TINY = (
    "--backbone",
    "vgg16",
    "--set",
    "model.weights=random",
    "--set",
    "model.image_size=[32, 32]",
)


@pytest.fixture
def photos(workplace, make_photos):
    """12 reddish cats and 12 bluish dogs, of which one dog lies among the cats."""
    make_photos(workplace / "data" / "train" / "cats", 11, 1, REDDISH)
    make_photos(workplace / "data" / "train" / "dogs", 12, 2, BLUISH)
    (wrong,) = make_photos(workplace / "data" / "train" / "cats", 1, 3, BLUISH)
    make_photos(workplace / "data" / "validation" / "cats", 2, 4, REDDISH)
    make_photos(workplace / "data" / "validation" / "dogs", 2, 5, BLUISH)
    return wrong


def tree(folder):
    """Every file below a folder with its content, but for the mark of a quarantine."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".catsdogs")
    }


def content(path):
    return hash_content(path.read_bytes()).hex()


def write_decisions(rows, path=Path("decisions.csv"), columns="path,decision,class,given,content"):
    """A file as the page saves it; rows without a content get that of their photo."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns.split(","))
        for row in rows:
            writer.writerow([*row, content(Path("data", row[0]))] if len(row) == 4 else row)
    return path


WRONG = ("train/cats/3_000.png", "move", "dogs", "cats")


def test_a_photo_in_the_wrong_class_is_the_first_suspect(photos, call):
    result = call("review", *TINY)
    *start, row = result.stdout.splitlines()
    assert start == [
        "28 photos of 2 classes, by vgg16",
        "",
        "      1  label in doubt",
        "",
        "label in doubt:",
        "rank  label  likely          photo",
    ]
    line = r"   1  cats   dogs    0\.\d{4}  data/train/cats/3_000\.png(: probably wrong)?"
    assert re.fullmatch(line, row)
    assert "saved review.html: open it to say what each photo is" in result.stderr


def test_the_kinds_count_what_is_listed_under_each():
    ranked = [{"wrong_label": "", "odd": ""}, {"wrong_label": ""}, {"odd": ""}, {"odd": ""}]
    suspects = [
        Suspect(Path(f"{number}.jpg"), b"", "cats", "dogs", 0.5, reasons)
        for number, reasons in enumerate(ranked)
    ]
    reviewed = ReviewResult(Path(), ("cats", "dogs"), 9, "vgg16", suspects, [], [], Path(), 1.0)
    assert list(suspects_as_text(reviewed)) == [
        "9 photos of 2 classes, by vgg16",
        "",
        "      2  label in doubt",
        "      2  like no other photo, and 1 of those above",
        "",
        "label in doubt:",
        "rank  label  likely          photo",
        "   1  cats   dogs    0.5000  0.jpg: like no other photo",
        "   2  cats   dogs    0.5000  1.jpg",
        "",
        "like no other photo:",
        "rank  label  likely          photo",
        "   3  cats   dogs    0.5000  2.jpg",
        "   4  cats   dogs    0.5000  3.jpg",
    ]


def test_json_and_csv_hold_the_same_suspects(photos, call):
    document = json.loads(call("review", "--format", "json", *TINY).stdout)
    (suspect,) = document["suspects"]
    assert document["num_photos"] == 28
    assert (suspect["path"], suspect["kind"]) == ("data/train/cats/3_000.png", "wrong_label")
    assert (suspect["given"], suspect["likely"]) == ("cats", "dogs")
    assert suspect["content"] == content(photos)
    (row,) = csv.DictReader(io.StringIO(call("review", "--format", "csv", *TINY).stdout))
    assert list(row) == ["path", "given", "likely", "probability", "kind", "also", "content"]
    assert float(row.pop("probability")) == pytest.approx(suspect["probability"], abs=1e-6)
    assert row == {key: suspect[key] if key != "also" else "" for key in row}


def test_features_are_those_that_train_has_stored(photos, call):
    call("train", "--epochs", "1", *TINY, "--set", "cache.ahead=false")
    assert "0 from the cache" not in call("review", *TINY).stderr
    assert len(list(Path("cache/catsdogs/features").iterdir())) == 1


def test_a_review_on_ncnn_imports_no_keras(photos):
    code = (
        "import sys; from catsdogs.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, "review", *TINY, "--set", "engine=ncnn"]
    subprocess.run(command, check=True, capture_output=True)


def test_every_kind_is_found(photos, call, make_photos):
    cats = Path("data/train/cats")
    shutil.copy(cats / "1_000.png", cats / "9_copy.png")
    shutil.copy(cats / "1_001.png", "data/train/dogs/9_copy.png")
    Image.new("RGB", (64, 48), (200, 90, 60)).save(cats / "9_even.png")
    document = json.loads(call("review", "--format", "json", *TINY).stdout)
    kinds = {
        s["path"].removeprefix("data/train/"): [s["kind"], *s["also"]] for s in document["suspects"]
    }
    assert kinds["cats/3_000.png"] == ["wrong_label"]
    assert "near_copy" in kinds["cats/9_copy.png"]
    assert "near_copy" in kinds["dogs/9_copy.png"]
    assert "one_colour" in kinds["cats/9_even.png"]
    details = {s["path"]: s["details"].get("near_copy") for s in document["suspects"]}
    assert details["data/train/dogs/9_copy.png"] == (
        "the same file as data/train/cats/1_001.png in cats"
    )


def test_what_cannot_be_read_is_named_and_left_out(photos, call):
    Path("data/train/cats/bad.png").write_bytes(b"no picture")
    result = call("review", "--format", "json", *TINY)
    assert json.loads(result.stdout)["unreadable"] == [
        {"path": "data/train/cats/bad.png", "reason": "not a picture, or damaged at its start"}
    ]
    assert "data/train/cats/bad.png is not among them" in result.stderr


def test_no_weights_here_is_a_line_and_no_download(photos, call, monkeypatch):
    for name in ("vgg16", "efficientnet_lite", "packaged", "keras_applications"):
        module = f"catsdogs.network.backbones.{name}"
        __import__(module)
    from catsdogs.network import weights

    monkeypatch.setenv("KERAS_HOME", str(Path("nowhere").absolute()))
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    assert call("review", code=1).stderr.splitlines()[-1] == (
        "error: no network's weights are on this machine: `catsdogs backbones` says where they "
        "come from by --backbone NAME"
    )


def test_decisions_move_photos_and_restore_brings_all_of_it_back(photos, call):
    before = tree(Path("data"))
    write_decisions(
        [
            WRONG,
            ("train/dogs/2_000.png", "leave_out", "", "dogs"),
            ("train/dogs/2_001.png", "keep", "", "dogs"),
            ("validation/cats/4_000.png", "unsure", "", "cats"),
        ]
    )
    result = call("review", "--apply", "decisions.csv")
    folder = Path("data-reviewed").absolute()
    assert result.stdout == (
        "1 kept, 1 moved to another class, 1 left out, 1 unsure; "
        f"`catsdogs review --restore {folder}` brings all of it back\n"
    )
    after = tree(Path("data"))
    assert after.pop("train/dogs/3_000.png") == before["train/cats/3_000.png"]
    assert tree(folder)["train/dogs/2_000.png"] == before["train/dogs/2_000.png"]
    moved = {"train/cats/3_000.png", "train/dogs/2_000.png"}
    assert after == {path: data for path, data in before.items() if path not in moved}
    assert call("review", "--restore", folder).stdout == (f"2 files brought back from {folder}\n")
    assert tree(Path("data")) == before


def test_what_moved_twice_goes_back_the_way_it_came(photos, call):
    before = tree(Path("data"))
    write_decisions([WRONG])
    call("review", "--apply", "decisions.csv")
    write_decisions([("train/dogs/3_000.png", "move", "cats", "dogs")])
    call("review", "--apply", "decisions.csv")
    write_decisions([("train/cats/3_000.png", "leave_out", "", "cats")])
    call("review", "data", "--apply", "decisions.csv")
    assert call("check", "data", "--restore", "data-reviewed").stdout == (
        "3 files brought back from data-reviewed\n"
    )
    assert tree(Path("data")) == before


def test_a_move_overwrites_nothing(photos, call):
    shutil.copy("data/train/cats/1_000.png", "data/train/dogs/3_000.png")
    before = tree(Path("data"))
    write_decisions([WRONG])
    call("review", "--apply", "decisions.csv", "--quarantine", "out")
    after = tree(Path("data"))
    assert after["train/dogs/3_000-2.png"] == before["train/cats/3_000.png"]
    assert after["train/dogs/3_000.png"] == before["train/dogs/3_000.png"]


def test_a_class_that_a_split_lacks_gets_a_folder(photos, call, make_photos):
    make_photos(Path("data/train/birds"), 2, 7, (60, 200, 60))
    write_decisions([("validation/cats/4_000.png", "move", "birds", "cats")])
    call("review", "--apply", "decisions.csv")
    assert Path("data/validation/birds/4_000.png").exists()


def test_the_list_with_two_columns_more_is_a_file_of_decisions(photos, call):
    rows = list(csv.DictReader(io.StringIO(call("review", "--format", "csv", *TINY).stdout)))
    with Path("list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "decision", "class"])
        writer.writeheader()
        writer.writerows({**row, "decision": "move", "class": row["likely"]} for row in rows)
    assert call("review", "--apply", "list.csv").stdout.startswith("0 kept, 1 moved")
    assert Path("data/train/dogs/3_000.png").exists()


REFUSED = {
    "a place outside": (
        [("../outside.png", "leave_out", "", "cats", "0" * 32)],
        "decisions.csv, row 2: '../outside.png' lies outside of data: nothing is moved",
    ),
    "a place outside, with its root": (
        [("/etc/passwd", "leave_out", "", "cats", "0" * 32)],
        "decisions.csv, row 2: '/etc/passwd' lies outside of data: nothing is moved",
    ),
    "through a class folder": (
        [("train/cats/../../../outside.png", "leave_out", "", "cats", "0" * 32)],
        "decisions.csv, row 2: 'train/cats/../../../outside.png' lies outside of data: "
        "nothing is moved",
    ),
    "a photo that is gone": (
        [WRONG, ("train/cats/gone.png", "move", "dogs", "cats", "0" * 32)],
        "decisions.csv, row 3: there is no photo data/train/cats/gone.png, it has moved since: "
        "nothing is moved",
    ),
    "a photo that has changed": (
        [WRONG, ("train/cats/1_000.png", "move", "dogs", "cats", "0" * 32)],
        "decisions.csv, row 3: data/train/cats/1_000.png is another photo than the one that was "
        "looked at: nothing is moved",
    ),
    "a class that is none": (
        [("train/cats/3_000.png", "move", "wolves", "cats")],
        "decisions.csv, row 2: the class is 'wolves', expected one of cats, dogs: nothing is moved",
    ),
    "a class that leads out": (
        [("train/cats/3_000.png", "move", "../../dogs", "cats")],
        "decisions.csv, row 2: the class is '../../dogs', expected one of cats, dogs: "
        "nothing is moved",
    ),
    "the class that it has": (
        [("train/cats/3_000.png", "move", "cats", "cats")],
        "decisions.csv, row 2: data/train/cats/3_000.png lies in cats already: nothing is moved",
    ),
    "a decision that is none": (
        [("train/cats/3_000.png", "delete", "", "cats")],
        "decisions.csv, row 2: the decision is 'delete', expected one of keep, move, leave_out, "
        "unsure: nothing is moved",
    ),
    "the same photo twice": (
        [WRONG, ("train/cats/3_000.png", "leave_out", "", "cats")],
        "decisions.csv, row 3: data/train/cats/3_000.png is decided in row 2 already: "
        "nothing is moved",
    ),
    "the same photo twice, spelled in two ways": (
        [WRONG, ("train//cats/./3_000.png", "keep", "", "cats")],
        "decisions.csv, row 3: data/train/cats/3_000.png is decided in row 2 already: "
        "nothing is moved",
    ),
    "a file in no class folder": (
        [("train/loose.png", "leave_out", "", "cats", "0" * 32)],
        "decisions.csv, row 2: data/train/loose.png lies in no class folder: nothing is moved",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_decisions_that_do_not_fit_move_nothing(photos, call, case):
    rows, line = REFUSED[case]
    Path("outside.png").write_bytes(b"")
    Path("data/train/loose.png").write_bytes(b"")
    write_decisions(rows)
    before = tree(Path())
    assert call("review", "--apply", "decisions.csv", code=1).stderr == f"error: {line}\n"
    assert tree(Path()) == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected one column path"),
        ("path,decision,class\nx,keep,\n", "expected one column content"),
        ("path,path,decision,class,content\n", "expected one column path"),
        ("path,decision,class,content\nx,keep\n", "row 2 has 2 cells, expected 4"),
    ],
)
def test_a_file_without_the_columns_is_refused(photos, call, text, reason):
    Path("decisions.csv").write_text(text)
    assert call("review", "--apply", "decisions.csv", code=1).stderr == (
        f"error: decisions.csv is no file of decisions ({reason}): expected the columns path, "
        "decision, class, content, as the page of `catsdogs review` has them\n"
    )


def test_a_missing_file_is_a_line(photos, call):
    assert (
        "decisions.csv cannot be read" in call("review", "--apply", "decisions.csv", code=1).stderr
    )


def test_what_lies_behind_a_link_is_not_moved(photos, tmp_path):
    shutil.move("data/train/dogs", "elsewhere")
    Path("data/train/dogs").symlink_to(tmp_path / "elsewhere")
    path = write_decisions([("train/dogs/2_000.png", "leave_out", "", "dogs")])
    with pytest.raises(DataError, match=r"2_000\.png lies behind a link, data/train/dogs"):
        read_decisions(path, Path("data"))


def test_a_folder_given_with_dots_or_whole_is_the_same(photos, call, tmp_path, monkeypatch):
    before = tree(Path("data"))
    write_decisions([(str(tmp_path / "data" / WRONG[0]), *WRONG[1:], content(photos))])
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    call("review", "../data", "--apply", "../decisions.csv")
    assert (tmp_path / "data/train/dogs/3_000.png").exists()
    call("review", "../data", "--restore", tmp_path / "data-reviewed")
    assert tree(tmp_path / "data") == before


def test_flags_that_contradict_each_other_are_refused(call):
    assert "contradict" in call("review", "--apply", "a", "--restore", "b", code=2).stderr
    assert "give both" in call("review", "--quarantine", "b", code=2).stderr


def test_the_page_lets_run_what_is_in_it_and_loads_nothing(photos, call):
    hostile = Path("data/train/dogs/<img src=x onerror=alert(1)>.png")
    shutil.copy(photos, hostile)
    call("review", *TINY, "--output", "pages/page.html")
    page = Path("pages/page.html").read_text()
    assert "<img src=x" not in page
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    policy = policy.replace("&#39;", "'")
    assert "default-src 'none'" in policy
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.S)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    for text in (style, script):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    photos_in_it = json.loads(data)["photos"]
    assert "train/dogs/<img src=x onerror=alert(1)>.png" in {p["path"] for p in photos_in_it}
    assert set(re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', page)) == set()
