"""Which folders are splits and which are classes, for `train`, `evaluate` and `check` alike."""

import unicodedata
from pathlib import Path

import pytest

from catsdogs.checking.folder_listing import list_data_folder
from catsdogs.config import DataConfig
from catsdogs.data.dataset import load_dataset
from catsdogs.data.evaluation_set import TrainedOn, find_labelled_photos
from catsdogs.data.layout import split_said_by
from catsdogs.errors import DataError


@pytest.fixture(autouse=True)
def _working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def put(*folders, count=4):
    """Files that their names call photos, `count` in each folder, all different."""
    for folder in folders:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Path(folder, f"{number}.jpg").write_text(f"{folder}{number}")


def load(root="data", **config):
    return load_dataset(DataConfig(dir=root, **config), 0)


def surveyed(root="data"):
    """What `check` counts: splits to classes to numbers."""
    return list_data_folder(Path(root)).counts()


def trained(dataset):
    """All samples of a training by class."""
    return {
        name: sum(s.label == label for split in dataset.splits.values() for s in split)
        for label, name in enumerate(dataset.class_names)
    }


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Training", "Testing"),
        ("training_set", "test_set"),
        ("x_train", "x_test"),
        ("animals_train", "animals_test"),
        ("TrainData", "TestData"),
        ("TRAIN", "Holdout"),
        ("wrapped/Training", "wrapped/Testing"),
        ("one/two/train", "one/two/test"),
        ("training_set/training_set", "test_set/test_set"),
    ],
)
def test_folders_that_say_their_split_and_hold_the_same_classes_are_splits(train, test):
    put(f"data/{train}/cats", f"data/{train}/dogs", count=10)
    put(f"data/{test}/cats", f"data/{test}/dogs", count=3)
    put("data/__MACOSX/wrapped")
    dataset = load()
    assert trained(dataset) == {"cats": 10, "dogs": 10}
    assert surveyed() == {"train": {"cats": 10, "dogs": 10}, "test": {"cats": 3, "dogs": 3}}
    found = find_labelled_photos(Path("data"), ("cats", "dogs"))
    assert sorted(set(found.labels)) == ["cats", "dogs"]
    assert (found.folder, len(found.paths)) == (Path("data") / test, 6)


def test_splits_that_are_named_by_words_are_told(tmp_path):
    put("data/x_train/cats", "data/x_train/dogs", "data/x_val/cats", "data/x_val/dogs")
    assert load().notes == [
        "data/x_train is taken for train: it holds the same classes",
        "data/x_val is taken for validation: it holds the same classes",
    ]


@pytest.mark.parametrize("root", ["data", "data/wrapped"])
def test_a_level_above_the_classes_whose_names_say_no_split_is_one_line(root):
    put(*(f"{root}/{day}/{name}" for day in ("monday", "tuesday") for name in ("cats", "dogs")))
    message = (
        f"{root}: monday, tuesday hold the same folders each (cats, dogs) and no photos of their "
        f"own, so they are a level above the classes: give {root}/monday or another one of them, "
        f"or, if they are the classes, move them into {root}/train"
    )
    for look in (load, surveyed):
        with pytest.raises(DataError) as caught:
            look()
        assert str(caught.value) == message


def test_classes_with_folders_in_them_stay_classes():
    put("data/cats/persian", "data/cats/siamese", "data/dogs/poodle", "data/dogs/pug")
    assert load().class_names == ("cats", "dogs")
    put("other/cats/images", "other/dogs/images")
    assert load("other").class_names == ("cats", "dogs")
    put(
        "third/train/cats/2023",
        "third/train/cats/2024",
        "third/train/dogs/2023",
        "third/train/dogs/2024",
    )
    assert load("third").class_names == ("cats", "dogs")


@pytest.mark.parametrize("name", ["test", "Test", "train", "validation", "val"])
def test_inside_a_split_every_folder_is_a_class(name):
    put(*(f"data/{split}/{c}" for split in ("train", "validation") for c in (name, "blank")))
    dataset = load()
    assert set(dataset.class_names) == {name, "blank"}
    assert dataset.count("train") == dataset.count("validation") == 8
    assert dataset.notes == []
    assert surveyed() == {split: {name: 4, "blank": 4} for split in ("train", "validation")}
    found = find_labelled_photos(Path("data"), dataset.class_names)
    assert len(found.paths) == 8
    given = find_labelled_photos(Path("data/validation"), dataset.class_names)
    assert len(given.paths) == 8


def test_photos_to_test_on_beside_class_folders_are_counted():
    put("data/cats", "data/dogs", "data/test", "data/test/cats")
    assert load().notes[0] == (
        "data/test is taken for photos to test on later, not for a class, and is left out: 8 photos"
    )


def test_a_class_called_like_a_split_beside_another_class_is_never_guessed():
    put("data/valid", "data/invalid")
    with pytest.raises(DataError) as caught:
        load()
    assert str(caught.value) == "data has valid/ but no train/: add data/train"
    put("other/train/valid", "other/train/invalid")
    assert load("other").class_names == ("invalid", "valid")


def test_what_lies_beside_the_splits_is_counted():
    put("data/train/cats", "data/train/dogs", "data/extra", "data", count=2)
    notes = load().notes
    assert notes[:2] == [
        "data/extra is no split and is left out: 2 photos",
        "data: left out, beside the splits: 2 photos",
    ]
    findings = [
        (f.kind, str(f.paths[0]), f.detail) for f in list_data_folder(Path("data")).findings
    ]
    assert ("layout", "data/extra", "a folder that is no split, with 2 photos") in findings


COMPOSED = unicodedata.normalize("NFC", "café")
DECOMPOSED = unicodedata.normalize("NFD", "café")


def test_two_spellings_of_a_class_in_different_splits_are_the_same_class():
    put(f"data/train/{DECOMPOSED}", "data/train/tea", f"data/validation/{COMPOSED}")
    dataset = load()
    assert dataset.class_names == (COMPOSED, "tea")
    assert dataset.class_counts("validation") == {COMPOSED: 4, "tea": 0}
    assert set(surveyed()["validation"]) == {COMPOSED}
    labels = find_labelled_photos(Path("data"), (DECOMPOSED, "tea")).labels
    assert set(labels) == {DECOMPOSED}


def test_two_spellings_of_a_class_in_one_split_are_reported():
    put(f"data/train/{DECOMPOSED}", f"data/train/{COMPOSED}", "data/train/tea")
    with pytest.raises(DataError) as caught:
        load()
    assert str(caught.value) == (
        f"data/train/{DECOMPOSED} and data/train/{COMPOSED} have the same name, {COMPOSED}, and "
        "differ only in how its letters are put together in Unicode: put their photos into one "
        "folder"
    )
    assert "the same name, but for its Unicode form" in {
        finding.detail for finding in list_data_folder(Path("data")).findings
    }


def test_linked_folders_are_read_once():
    put("data/train/cats", "disk/dogs", "disk/more/dogs")
    Path("data/train/dogs").symlink_to("../../disk/dogs")
    Path("data/train/dogs/again").symlink_to(".")
    Path("data/train/dogs/more").symlink_to("../more/dogs")
    Path("data/train/dogs/twice").symlink_to("../more/dogs")
    Path("data/train/cats/other").symlink_to("../dogs")
    dataset = load()
    assert trained(dataset) == {"cats": 4, "dogs": 8}
    assert dataset.notes[0] == (
        "data/train: left out: 3 linked folders "
        "(data/train/cats/other: a link into data/train/dogs, which is read there)"
    )
    assert surveyed() == {"train": {"cats": 4, "dogs": 8}}


@pytest.mark.parametrize("name", ["@eaDir", "#recycle", "__MACOSX", "$RECYCLE.BIN", "lost+found"])
def test_folders_of_a_system_are_neither_classes_nor_photos(name):
    put("data/train/cats", "data/train/dogs", f"data/train/{name}", f"data/train/cats/{name}")
    put("data/validation/cats", "data/validation/dogs", f"data/{name}")
    dataset = load()
    assert dataset.class_names == ("cats", "dogs")
    assert dataset.notes == [f"data/train: left out: 2 folders that a system made ({name})"]
    assert surveyed()["train"] == {"cats": 4, "dogs": 4}


@pytest.mark.parametrize("content", ["0.jpg", ".hidden", ""])
def test_a_test_folder_without_classes_gives_way_to_validation(content):
    put("data/train/cats", "data/train/dogs", "data/validation/cats", "data/validation/dogs")
    Path("data/test").mkdir()
    if content:
        Path("data/test", content).write_text("")
    found = find_labelled_photos(Path("data"), ("cats", "dogs"))
    assert found.folder == Path("data/validation")
    assert found.notes[0] == ("data/test has no class folders with photos: taking data/validation")


def test_a_test_folder_without_classes_beside_class_folders_gives_way_to_what_was_held_back():
    put("data/cats", "data/dogs", "data/test", count=20)
    config = DataConfig(dir="data")
    found = find_labelled_photos(Path("data"), ("cats", "dogs"), [TrainedOn(config)])
    assert len(found.paths) == load_dataset(config, 0).count("validation")
    assert found.notes[0] == (
        "data/test has no class folders with photos: taking what a training on data holds back"
    )
    assert len(find_labelled_photos(Path("data"), ("cats", "dogs")).paths) == 40


def test_names_say_a_split_by_whole_words():
    said = {name: split_said_by(name) for name in ("x_train", "2-VAL", "TestSet", "trainset")}
    assert said == {
        "x_train": "train",
        "2-VAL": "validation",
        "TestSet": "test",
        "trainset": "train",
    }
    assert {split_said_by(n) for n in ("strain", "invalid", "contest", "train_test", "cats")} == {
        None
    }
