"""A CSV in the place of class folders, `data.classes`, and who takes them."""

import csv
import io
import json
import os
from pathlib import Path

import pytest

from catsdogs.checking.folder_listing import list_data_folder
from catsdogs.config import DataConfig
from catsdogs.data.dataset import load_dataset
from catsdogs.data.evaluation_set import TrainedOn, find_labelled_photos
from catsdogs.data.manifest import ManifestRow, manifest_lines, read_manifest
from catsdogs.data.photo_paths import walk_photos
from catsdogs.errors import ConfigError, DataError
from tests.test_dataset import counts, fill

TINY = ("--set", "model.image_size=[32,32]", "--set", "model.weights=random")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with photos/cats and photos/dogs, 10 files each."""
    monkeypatch.chdir(tmp_path)
    for name in ("cats", "dogs"):
        fill(tmp_path / "photos" / name, 10)
    return tmp_path


def write(*rows, header="path,label", path="data.csv", encoding="utf-8", end="\n"):
    Path(path).write_bytes(end.join([header, *rows, ""]).encode(encoding))
    return Path(path)


def all_rows(split=lambda name, number: ""):
    return [
        f"photos/{name}/{number}.png,{name}{split(name, number)}"
        for name in ("cats", "dogs")
        for number in range(10)
    ]


def load(path="data.csv", class_names=None, **config):
    return load_dataset(DataConfig(dir=str(path), **config), 0, class_names)


def refusal(*rows, **options):
    with pytest.raises(DataError) as caught:
        read_manifest(write(*rows, **options))
    return str(caught.value)


# --- what a manifest lists -----------------------------------------------------------------


def test_a_manifest_without_splits_is_split_as_its_folder_is(folder):
    for name in ("cats", "dogs"):  # a suffix, so that the folder has photos by their names
        for path in sorted((folder / "photos" / name).iterdir()):
            path.rename(path.with_suffix(".png"))
    rows = [
        f"photos/{n}/{i}.png,{n}" for n in ("dogs", "cats") for i in (3, 1, 2, 0, *range(4, 10))
    ]
    write(*rows)
    assert load().fingerprint() == load("photos").fingerprint()
    assert load().order_fingerprint() == load("photos").order_fingerprint()


def test_splits_are_known_by_their_usual_names_and_test_is_left_out(folder):
    words = ["Training", "train", "val", "validation", "VALID", "test"]
    write(*all_rows(lambda _, number: f",{words[number % 6]}"), header="path,label,split")
    dataset = load()
    assert counts(dataset) == {"train": 8, "validation": 10}
    assert "data.csv: 2 photos of test left out" in dataset.notes


def test_photos_beside_those_of_test_are_split_by_content(folder):
    write(*all_rows(lambda _, number: ",test" if number < 5 else ","), header="path,label,split")
    assert counts(load()) == {"train": 8, "validation": 2}


@pytest.mark.parametrize(
    ("encoding", "end", "delimiter"),
    [
        ("utf-8-sig", "\r\n", ","),
        ("utf-8", "\n", ";"),
        ("utf-8", "\r\n", "\t"),
        ("utf-8", "\r", ","),
    ],
)
def test_what_spreadsheets_write_is_read(folder, encoding, end, delimiter):
    rows = [row.replace(",", delimiter) for row in all_rows()]
    write(*rows, header=f" Path {delimiter}LABEL", encoding=encoding, end=end)
    assert counts(load()) == {"train": 16, "validation": 4}


def test_names_with_commas_quotes_and_line_breaks_are_names(folder):
    names = ["a,b.png", 'say "no".png', "two\nlines.png", "'quoted.png", "=SUM(1).png", " blank "]
    for name in names:
        (folder / name).write_text(name)
    rows = [ManifestRow(Path(name), "cats") for name in names]
    lines = manifest_lines(rows, Path())
    Path("odd.csv").write_text("\n".join(lines) + "\n", newline="")
    assert [row.path.name for row in read_manifest(Path("odd.csv")).rows] == names
    cells = [row[0] for row in csv.reader(io.StringIO("\n".join(lines), newline=""))]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\n")) for cell in cells)


def test_a_name_that_begins_with_an_apostrophe_needs_no_second_one(folder):
    Path("'a.png").write_text("a")
    assert read_manifest(write("'a.png,cats")).rows[0].path == Path("'a.png")


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on Unix alone")
def test_names_that_are_not_utf_8_come_back(folder):
    path = Path(os.fsdecode(b"caf\xe9.png"))
    path.write_text("a")
    lines = manifest_lines([ManifestRow(path, "cats")], Path())
    Path("odd.csv").write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    assert read_manifest(Path("odd.csv")).rows[0].path == path


def test_photos_may_lie_anywhere(folder):
    (folder / "lists").mkdir()
    rows = [f"../photos/cats/{n}.png,cats" for n in range(5)]
    rows += [f"{folder}/photos/dogs/{n}.png,dogs" for n in range(5)]
    write(*rows, path="lists/data.csv")
    assert counts(load("lists/data.csv")) == {"train": 8, "validation": 2}


def test_weights_are_1_on_average_and_count_in_the_fingerprint(folder):
    write(*all_rows(lambda name, _: ",2" if name == "cats" else ","), header="path,label,weight")
    dataset = load()
    weights = {sample.label: sample.weight for sample in dataset.splits["train"]}
    assert weights == {0: pytest.approx(4 / 3), 1: pytest.approx(2 / 3)}
    weighted = dataset.fingerprint()
    write(*all_rows(lambda *_: ",5"), header="path,label,weight")
    assert {sample.weight for sample in load().splits["train"]} == {1}
    assert load().fingerprint() != weighted


# --- wrong rows ------------------------------------------------------------------------------


def test_every_wrong_row_is_named_with_its_reason(folder):
    (folder / "photos" / "a folder.png").mkdir()
    long = "x" * 300
    assert refusal(
        "photos/cats/0.png,cats,,",
        "photos/cats/none,cats,,",
        "photos/cats/1.png,,,",
        ",cats,,",
        "photos/cats/0.png,dogs,,",
        "photos/cats/2.png,cats,holdout,",
        "photos/cats/3.png,cats,middle,",
        "photos/cats/4.png,cats,,heavy",
        "photos/cats/5.png,cats,,-1",
        "photos/cats/6.png,cats",
        f"photos/cats/7.png,{long},,",
        "photos/a folder.png,cats,,",
        "photos/cats/\0,cats,,",
        header="path,label,split,weight",
    ) == (
        "data.csv has 11 wrong rows: row 3: photos/cats/none does not exist; row 4: no label; "
        "row 5: no path; row 6: photos/cats/0.png again, as in row 2; row 8: split is middle, "
        "expected train, validation or test; row 9: weight is heavy, expected a number above 0 and "
        "up to 1,000,000; row 10: weight is -1, expected a number above 0 and up to 1,000,000; row "
        f"11: 2 cells, expected 4; row 12: label {long[:60]}…{long[-60:]} is longer than 255 "
        "characters; row 13: photos/a folder.png is a folder; and 1 more: mend or remove them"
    )


@pytest.mark.parametrize("weight", ["nan", "inf", "0", "1e9", "1_0_", "0x10"])
def test_a_weight_is_a_number(folder, weight):
    assert f"weight is {weight}, expected" in refusal(
        f"photos/cats/0.png,cats,{weight}", header="path,label,weight"
    )


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("file,label", "data.csv has no column path, its first row is: file, label: expected"),
        ("path,lable", "data.csv has no column label, its first row is: path, lable; is lable it?"),
        ("path,label,label", "data.csv has several columns label"),
        ("path,label,split,split", "data.csv has several columns split: keep one of them"),
        ("", "data.csv has no column path, its first row is: none"),
    ],
)
def test_wrong_columns_are_named(folder, header, reason):
    assert refusal("photos/cats/0.png,cats", header=header).startswith(reason)


def test_splits_for_some_photos_alone_are_refused(folder):
    rows = all_rows(lambda _, number: ",train" if number else ",")
    assert refusal(*rows, header="path,label,split") == (
        "data.csv says no split for 2 photos and one for others: give each train, validation or "
        "test, or leave the column out"
    )


def test_a_quote_that_is_not_closed_is_one_wrong_row(folder):
    assert refusal(
        "photos/cats/0.png,cats", '"photos/cats/1.png,cats', "photos/cats/2.png,cats"
    ).startswith("data.csv has 1 wrong row: row 3: no CSV (unexpected end of data)")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("path,label\na,b\n".encode("utf-16"), "is written in UTF-16: save it as CSV in UTF-8"),
        (b"", "has no column path"),
        (b"path,label\n", "lists no photos"),
        (b"path,label" + 5000 * b",", "has 5,002 columns: expected a few"),
        (b"path,label\n" + b"x" * 200_000 + b",a\n", "1 wrong row: row 2: no CSV"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 50, "has no column path"),
    ],
)
def test_other_files_are_no_manifests(folder, content, reason):
    Path("data.csv").write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        load()
    assert len(str(caught.value)) < 2000


def test_a_pipe_and_a_missing_manifest_are_one_line(folder):
    os.mkfifo("pipe.csv")
    with pytest.raises(DataError, match=r"pipe\.csv"):
        load("pipe.csv")
    with pytest.raises(DataError, match=r"no folder none\.csv"):
        load("none.csv")


def test_too_large_a_manifest_is_refused_before_it_is_read(folder):
    with Path("data.csv").open("wb") as file:
        file.truncate(300 * 2**20)
    with pytest.raises(DataError, match="larger than 128 MiB"):
        load()


def test_one_class_alone_is_refused(folder):
    write(*all_rows()[:10])
    with pytest.raises(DataError, match=r"data\.csv has only the class cats: expected two"):
        load()


def test_a_class_that_is_not_trained_on_is_refused(folder):
    split = lambda name, number: ",train" if name == "cats" or number else ",validation"  # noqa: E731
    rows = [
        *all_rows(split),
    ]
    Path("owl").write_text("owl")
    write(*rows, "owl,owls,validation", header="path,label,split")
    with pytest.raises(DataError) as caught:
        load()
    assert str(caught.value) == (
        "data.csv has validation photos of owls, which is no class of the split train, which has "
        "cats, dogs: mend or remove their rows, or set data.classes"
    )


def test_copies_across_splits_are_warned_about(folder):
    Path("copy").write_bytes(Path("photos/cats/0.png").read_bytes())
    write(*all_rows(lambda _, n: ",validation" if n > 7 else ",train"), "copy,cats,validation",
          header="path,label,split")  # fmt: skip
    assert "1 validation photo is also trained on" in load().warnings[0]


# --- classes -----------------------------------------------------------------------------------


@pytest.fixture
def breeds(folder):
    for name in ("tabby", "siamese", "misc"):
        fill(folder / "photos" / name, 6)
    return folder


MAPPING = {"tabby": "cats", "siamese": "cats", "misc": False, "dogs": "dog"}


def test_classes_are_put_together_renamed_and_left_out(breeds):
    dataset = load("photos", classes=MAPPING)
    assert dataset.class_names == ("cats", "dog")
    assert sum(counts(dataset).values()) == 32
    assert "photos: 6 photos of misc left out, as asked" in dataset.notes
    assert "photos: cats is cats (10) and siamese (6) and tabby (6)" in dataset.notes


def test_a_manifest_and_its_folder_give_the_same_classes(breeds):
    rows = [f"{path},{path.parent.name}" for path in sorted(Path("photos").rglob("*.png"))]
    write(*rows)
    assert load(classes=MAPPING).fingerprint() == load("photos", classes=MAPPING).fingerprint()


def test_a_class_that_is_not_there_names_the_nearest(breeds):
    with pytest.raises(ConfigError) as caught:
        load("photos", classes={"siamees": "cats"})
    assert str(caught.value) == (
        "data.classes names siamees, which photos has not. Did you mean siamese?"
    )


@pytest.mark.parametrize("group", ["", "(.)"])
def test_leaving_out_all_classes_is_one_line(breeds, group):
    everything = dict.fromkeys(("cats", "dogs", "tabby", "siamese", "misc"), False)
    with pytest.raises(DataError, match="photos has no photos left to train on"):
        load("photos", classes=everything, group=group)
    with pytest.raises(DataError, match="photos has no photos left"):
        list_data_folder(Path("photos"), DataConfig(dir="photos", classes=everything))


def test_classes_flow_into_check_and_evaluate(breeds):
    config = DataConfig(dir="photos", classes=MAPPING)
    assert list_data_folder(Path("photos"), config).counts() == {"train": {"cats": 22, "dog": 10}}
    fill(breeds / "new" / "tabby", 3)
    fill(breeds / "new" / "cats", 2)
    fill(breeds / "new" / "dogs", 2)
    found = find_labelled_photos(Path("new"), ("cats", "dog"), mapping=MAPPING)
    assert found.labels == ["cats"] * 5 + ["dog"] * 2


@pytest.mark.parametrize("value", ["", "  ", "a\0b", True, 3])
def test_a_class_counts_as_a_name_or_is_left_out(value):
    with pytest.raises(ValueError, match="classes"):
        DataConfig(classes={"cats": value})


# --- who takes them --------------------------------------------------------------------------


def test_evaluation_takes_the_photos_of_test_then_of_validation(folder):
    words = ["train", "validation", "test"]
    write(*all_rows(lambda _, number: f",{words[number % 3]}"), header="path,label,split")
    found = find_labelled_photos(Path("data.csv"), ("cats", "dogs"))
    assert [path.stem for path in found.paths] == ["2", "5", "8"] * 2
    write(*all_rows(lambda _, number: f",{words[number % 2]}"), header="path,label,split")
    trained_on = [TrainedOn(DataConfig(dir="data.csv"))]
    found = find_labelled_photos(Path("data.csv"), ("cats", "dogs"), trained_on)
    assert len(found.paths) == 10
    assert found.notes == [
        "taking the validation photos of data.csv",
        "these photos chose the epoch that was kept: the figures are slightly flattering",
    ]


def test_evaluation_of_an_unsplit_manifest_takes_what_training_held_back(folder):
    write(*all_rows())
    held_back = {sample.path for sample in load().splits["validation"]}
    found = find_labelled_photos(
        Path("data.csv"), ("cats", "dogs"), [TrainedOn(DataConfig(dir="data.csv"))]
    )
    assert set(found.paths) == held_back


def test_check_takes_a_manifest_and_moves_what_lies_beside_it_alone(
    tmp_path, class_folders, call, monkeypatch
):
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    (inner / "bad.png").write_text("no picture")
    (tmp_path / "outside.png").write_text("no picture")
    photos = sorted((class_folders / "train").rglob("*.png"))
    rows = [f"{path},{path.parent.name}" for path in photos]
    write(*rows, "bad.png,cats", "../outside.png,dogs")
    result = call("check", "data.csv", "--quarantine", tmp_path / "aside", code=1)
    assert "train            10 photos: 5 cats, 5 dogs" in result.stdout
    assert "../outside.png could not be moved: it does not lie in ., with the manifest" in (
        result.stderr
    )
    assert (tmp_path / "aside" / "bad.png").exists()
    assert (tmp_path / "outside.png").exists()
    call("check", "data.csv", "--restore", tmp_path / "aside")
    assert (inner / "bad.png").exists()


def test_manifest_writes_what_train_would_see(tmp_path, class_folders, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_bytes(call("manifest", "data").stdout_bytes)
    assert load("data.csv").order_fingerprint() == load("data").order_fingerprint()
    assert Path("data.csv").read_text().splitlines()[:2] == [
        "path,label,split",
        "data/train/cats/1_000.png,cats,train",
    ]
    result = call("manifest", "data", "--output", "lists/data.csv")
    assert result.stdout == "saved lists/data.csv: 12 photos\n"
    assert load("lists/data.csv").order_fingerprint() == load("data").order_fingerprint()
    call("manifest", "lists/data.csv", "--output", "again.csv")
    assert Path("again.csv").read_text() == Path("data.csv").read_text()


@pytest.mark.slow
def test_predict_takes_the_paths_of_a_manifest(tmp_path, class_folders, make_model, call):
    photos = sorted((class_folders / "train").rglob("*.png"))
    (tmp_path / "list.csv").write_text("path\n" + "".join(f"{path}\n" for path in photos))
    model = make_model(tmp_path / "m.h5")
    result = call("predict", tmp_path / "list.csv", "--model", model, "--format", "jsonl")
    answered = [json.loads(line) for line in result.stdout.splitlines()]
    assert [Path(answer["path"]) for answer in answered] == photos
    assert [answer["class"] for answer in answered] == ["cats"] * 4 + ["dogs"] * 4


def test_a_csv_of_something_else_among_photos_is_one_file_that_is_no_photo(folder):
    Path("labels.csv").write_text("id,breed\n1,pug\n")
    Path("list.csv").write_text("Path\nphotos/cats/1.png\n")
    asked = ["photos/cats/0.png", "labels.csv", "list.csv"]
    assert list(walk_photos(asked)) == ["photos/cats/0.png", "labels.csv", "photos/cats/1.png"]
    with pytest.raises(DataError, match=r"labels\.csv has no column path"):
        walk_photos(["labels.csv"])


@pytest.mark.slow
def test_all_commands_take_a_manifest_and_its_classes(tmp_path, class_folders, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("manifest", "data", "--output", "data.csv")
    cats = ("--set", "data.classes.cats=pet cat")
    call("train", "--data", "data.csv", "--epochs", "1", *TINY, *cats)
    fingerprint = load("data.csv", classes={"cats": "pet cat"}).fingerprint()
    model = Path("models/catsdogs.h5")
    evaluated = json.loads(call("evaluate", "data.csv", "--format", "json").stdout)
    assert evaluated["num_photos"] == 4
    assert [of_class["name"] for of_class in evaluated["classes"]] == ["dogs", "pet cat"]
    call("compare", model, model, "data.csv")
    call("report")
    call("finetune", "--data", "data.csv", "--epochs", "1")  # it knows the classes
    assert json.loads(call("evaluate", "data", "--format", "json").stdout)["num_photos"] == 4
    call("train", "--data", "data.csv", "--folds", "2", *TINY, *cats)
    call("curve", "--data", "data.csv", "--set", "train.folds=2", *TINY, *cats)
    from catsdogs.model.metadata import read_metadata

    assert read_metadata(model).class_names == ("dogs", "pet cat")
    assert fingerprint
