import hashlib
import os
import shutil
from pathlib import Path

import pytest

from catsdogs.config import DataConfig
from catsdogs.data.dataset import load_dataset
from catsdogs.data.samples import Sample
from catsdogs.data.walking import list_photos
from catsdogs.errors import DataError


def fill(folder, count, name="{}.png", start=0):
    """Write files that their names call photos; the last two folders and a number fill them."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(start, start + count):
        content = f"{folder.parent.name}/{folder.name}/{index}"
        (folder / name.format(index)).write_text(content)


@pytest.fixture
def root(tmp_path):
    """Not there yet; below a folder of the same name in every run."""
    return tmp_path / "data"


@pytest.fixture
def split_root(root):
    """4 + 4 photos to train on, 2 + 2 for validation."""
    for name in ("cats", "dogs"):
        fill(root / "train" / name, 4)
        fill(root / "validation" / name, 2)
    return root


def load(root, class_names=None, seed=0, **config):
    return load_dataset(DataConfig(dir=str(root), **config), seed, class_names)


def refusal(root, *arguments, **config):
    with pytest.raises(DataError) as caught:
        load(root, *arguments, **config)
    return str(caught.value)


def paths(dataset, split, root):
    return [sample.path.relative_to(root).as_posix() for sample in dataset.splits[split]]


def counts(dataset):
    return {split: len(samples) for split, samples in dataset.splits.items()}


def split_of_contents(dataset):
    """Content hashes to the splits they are in."""
    found = {}
    for split, samples in dataset.splits.items():
        for sample in samples:
            found.setdefault(sample.content_hash, set()).add(split)
    return found


def test_split_folders_become_labelled_samples(split_root):
    dataset = load(split_root)
    assert dataset.class_names == ("cats", "dogs")
    assert dataset.splits == {
        split: [
            Sample(
                split_root / split / name / f"{index}.png",
                label,
                hashlib.blake2b(f"{split}/{name}/{index}".encode(), digest_size=16).digest(),
            )
            for label, name in enumerate(["cats", "dogs"])
            for index in range(count)
        ]
        for split, count in [("train", 4), ("validation", 2)]
    }
    assert dataset.notes == []
    assert dataset.unreadable == []


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "VAL"])
def test_validation_folder_has_several_names(split_root, name):
    (split_root / "validation").rename(split_root / name)
    dataset = load(split_root)
    assert paths(dataset, "validation", split_root / name) == [
        "cats/0.png",
        "cats/1.png",
        "dogs/0.png",
        "dogs/1.png",
    ]


def test_class_folders_alone_are_split_by_content(root):
    for name in ("cats", "dogs"):
        fill(root / name, 50)
    dataset = load(root)
    train, validation = (paths(dataset, split, root) for split in ("train", "validation"))
    assert sorted(train + validation) == sorted(
        f"{name}/{index}.png" for name in ("cats", "dogs") for index in range(50)
    )
    assert train == sorted(train)
    assert validation == sorted(validation)
    assert dataset.notes == ["split by content: 0.2 of each class is held back for validation"]


def test_what_lies_under_two_classes_is_trained_on_and_named(root):
    for name in ("cats", "dogs"):
        fill(root / name, 20)
    for index in range(5):  # by a split of each class alone, some would be on both sides
        shutil.copy(root / "cats" / f"{index}.png", root / "dogs" / f"copy{index}.png")
    dataset = load(root)
    held_back = {sample.content_hash for sample in dataset.splits["validation"]}
    assert len(held_back) == dataset.count("validation") > 0
    assert not held_back & {sample.content_hash for sample in dataset.splits["train"]}
    assert dataset.warnings == [
        "5 photos under one class and under another as well, e.g. "
        f"{root}/cats/0.png = {root}/dogs/copy0.png (`catsdogs check` names all)"
    ]


def test_train_without_validation_is_split_by_content(root):
    for name in ("cats", "dogs"):
        fill(root / "train" / name, 50)
    dataset = load(root)
    assert sum(counts(dataset).values()) == 100
    assert dataset.count("validation") > 0
    assert dataset.count("test") == 0


def test_three_classes_are_ordered_by_name(root):
    for name in ("dogs", "birds", "cats"):
        fill(root / name, 20)
    assert load(root).class_names == ("birds", "cats", "dogs")


def test_photos_in_subfolders_are_found_in_the_order_of_their_paths(split_root):
    fill(split_root / "train" / "cats" / "b" / "deep", 1)
    fill(split_root / "train" / "cats" / "a", 1)
    assert paths(load(split_root), "train", split_root / "train")[:6] == [
        "cats/0.png",
        "cats/1.png",
        "cats/2.png",
        "cats/3.png",
        "cats/a/0.png",
        "cats/b/deep/0.png",
    ]


def test_suffixes_count_in_any_case(split_root):
    fill(split_root / "train" / "cats", 1, "upper.JPG", start=7)
    assert "train/cats/upper.JPG" in paths(load(split_root), "train", split_root)


def test_hidden_files_and_folders_are_left_out(split_root):
    fill(split_root / "train" / "cats", 1, ".hidden.png")
    fill(split_root / "train" / "cats" / ".thumbnails", 3)
    fill(split_root / "train" / ".cache", 3)
    fill(split_root / ".val" / "cats", 3)
    dataset = load(split_root)
    assert counts(dataset) == {"train": 8, "validation": 4}
    assert dataset.notes == [f"{split_root / 'train'}: left out: 1 hidden file, 2 hidden folders"]


def test_empty_class_folder_is_noted(split_root):
    (split_root / "train" / "empty").mkdir()
    dataset = load(split_root)
    assert dataset.class_names == ("cats", "dogs")
    assert dataset.notes == [f"{split_root / 'train' / 'empty'} holds no photos and is left out"]


def test_other_files_are_counted(split_root):
    fill(split_root / "train" / "cats", 2, "{}.txt")
    fill(split_root / "train" / "dogs" / "deep", 1, "Thumbs.db")
    dataset = load(split_root)
    assert dataset.count("train") == 8
    assert dataset.notes == [
        f"{split_root / 'train'}: left out: 3 files that are no photos by their names "
        "(2 .txt, 1 .db)"
    ]


def test_class_without_validation_photos_is_noted(split_root):
    for path in (split_root / "validation" / "dogs").iterdir():
        path.unlink()
    assert load(split_root).notes == [
        f"{split_root / 'validation' / 'dogs'} holds no photos and is left out",
        f"{split_root / 'validation'} has no photos of dogs",
    ]


def test_photos_of_a_folder_are_listed_without_hidden_ones(split_root):
    fill(split_root, 1, ".hidden.png")
    fill(split_root, 1, "notes.txt")
    found = [path.relative_to(split_root).as_posix() for path in list_photos(split_root)]
    assert found == [
        f"{split}/{name}/{index}.png"
        for split, count in [("train", 4), ("validation", 2)]
        for name in ("cats", "dogs")
        for index in range(count)
    ]


def test_missing_folder_is_refused(root):
    assert refusal(root) == (
        f"no folder {root}: run `catsdogs sample` for the built-in photos, "
        "or give a folder with one folder per class in it"
    )


def test_file_in_place_of_the_folder_is_refused(root):
    root.write_text("")
    assert refusal(root) == (
        f"{root} is a file: run `catsdogs sample` for the built-in photos, "
        "or give a folder with one folder per class in it"
    )


def test_folder_without_class_folders_is_refused(root):
    fill(root, 3)
    assert refusal(root) == (
        f"{root} has no class folders with photos: expected one folder per class, "
        f"e.g. {root / 'cats'}"
    )


def test_single_class_is_refused(root):
    fill(root / "train" / "cats", 3)
    message = f"{root / 'train'} has only the class cats: expected two classes or more"
    assert refusal(root) == message


def test_class_in_validation_alone_is_refused(split_root):
    fill(split_root / "validation" / "birds", 1)
    assert refusal(split_root) == (
        f"{split_root / 'validation' / 'birds'} is no class of {split_root / 'train'}, "
        "which has cats, dogs: rename or remove the folder"
    )


def test_two_validation_folders_are_refused(split_root):
    fill(split_root / "val" / "cats", 1)
    assert refusal(split_root) == (
        f"{split_root / 'val'} and {split_root / 'validation'} are both validation: "
        "keep one of them"
    )


def test_validation_without_train_is_refused(root):
    fill(root / "val" / "cats", 1)
    assert refusal(root) == f"{root} has val/ but no train/: add {root / 'train'}"


def test_labels_follow_the_class_names_of_the_model(split_root):
    dataset = load(split_root, ("dogs", "cats"))
    assert dataset.class_names == ("dogs", "cats")
    labels = {sample.path.parent.name: sample.label for sample in dataset.splits["validation"]}
    assert labels == {"dogs": 0, "cats": 1}


def test_folder_that_is_no_class_of_the_model_is_refused(split_root):
    fill(split_root / "train" / "birds", 1)
    assert refusal(split_root, ("dogs", "cats")) == (
        f"{split_root / 'train' / 'birds'} is no class of the model, which has dogs, cats: "
        "rename or remove the folder"
    )


def test_class_of_the_model_without_photos_to_train_on_is_refused(split_root):
    message = f"{split_root / 'train'} has no photos of birds"
    assert refusal(split_root, ("birds", "cats", "dogs")) == message


def test_validation_gets_its_share_of_every_class(root):
    for name in ("cats", "dogs"):
        fill(root / name, 40)
    dataset = load(root, validation_fraction=0.2)
    assert counts(dataset) == {"train": 64, "validation": 16}
    assert sum(sample.label == 0 for sample in dataset.splits["validation"]) == 8


def test_split_stays_when_photos_are_renamed(root):
    for name in ("cats", "dogs"):
        fill(root / name, 40)
    before = split_of_contents(load(root))
    for name in ("cats", "dogs"):
        for path in (root / name).iterdir():
            path.rename(path.with_name(f"renamed_{path.name}"))
    assert split_of_contents(load(root)) == before


def test_copies_fall_into_the_same_split(root):
    for name in ("cats", "dogs"):
        fill(root / name, 40)
        fill(root / name, 40, "copy_{}.png")
    dataset = load(root)
    assert sum(counts(dataset).values()) == 160
    assert all(len(splits) == 1 for splits in split_of_contents(dataset).values())


def test_small_class_keeps_a_photo_for_validation(root):
    for name in ("cats", "dogs"):
        fill(root / name, 5)
    dataset = load(root, validation_fraction=1e-9)
    assert [sample.label for sample in dataset.splits["validation"]] == [0, 1]
    assert dataset.notes == [
        "cats, dogs have few photos: one of each is kept for validation",
        "split by content: 1e-09 of each class is held back for validation",
    ]


def test_photo_kept_for_a_small_class_does_not_depend_on_names(root):
    for name in ("cats", "dogs"):
        fill(root / name, 5)
    before = split_of_contents(load(root, validation_fraction=1e-9))
    for name in ("cats", "dogs"):
        for path in (root / name).glob("?.png"):
            path.rename(path.with_name(f"renamed_{9 - int(path.stem)}.png"))
    assert split_of_contents(load(root, validation_fraction=1e-9)) == before


def test_small_class_keeps_a_photo_for_training(root):
    for name in ("cats", "dogs"):
        fill(root / name, 5)
    dataset = load(root, validation_fraction=1 - 1e-9)
    assert [sample.label for sample in dataset.splits["train"]] == [0, 1]
    assert dataset.notes == [
        "cats, dogs have few photos: one of each is kept for training",
        "split by content: 1 of each class is held back for validation",
    ]


def test_one_photo_a_class_leaves_none_for_validation(root):
    for name in ("cats", "dogs"):
        fill(root / name, 1)
    message = f"{root} leaves no photo for validation: add photos"
    assert refusal(root, validation_fraction=1e-9) == message


def test_one_photo_of_a_class_is_trained_on(root):
    fill(root / "cats", 1)
    fill(root / "dogs", 9)
    dataset = load(root, validation_fraction=0.9)
    assert [sample.label for sample in dataset.splits["train"]] == [0, 1]


def test_subsample_keeps_every_nth_of_each_class(root):
    for split, count in (("train", 10), ("validation", 7)):
        for name in ("cats", "dogs"):
            fill(root / split / name, count)
    dataset = load(root, subsample=3)
    assert [sample.label for sample in dataset.splits["train"]] == [0, 0, 0, 1, 1, 1]
    assert [sample.label for sample in dataset.splits["validation"]] == [0, 0, 1, 1]
    assert dataset.notes == []


def test_subsample_follows_the_split_by_content(root):
    for name in ("cats", "dogs"):
        fill(root / name, 60)
    everything, some = load(root), load(root, subsample=5)
    for split in ("train", "validation"):
        assert set(some.splits[split]) < set(everything.splits[split])
        of_cats = sum(sample.label == 0 for sample in everything.splits[split])
        assert sum(sample.label == 0 for sample in some.splits[split]) == max(1, of_cats // 5)


def test_subsample_keeps_one_of_a_small_class_and_says_so(split_root):
    dataset = load(split_root, subsample=3)
    assert counts(dataset) == {"train": 2, "validation": 2}
    assert dataset.notes == [
        "subsample 3 of 2 validation photos of cats, 2 validation photos of dogs would be none: "
        "one of each is kept",
    ]


def test_subsample_is_seeded(root):
    for split in ("train", "validation"):
        for name in ("cats", "dogs"):
            fill(root / split / name, 30)
    chosen = [
        tuple(paths(load(root, seed=seed, subsample=10), "train", root)) for seed in (0, 0, 1, 2)
    ]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) == 3


def test_subsample_is_the_same_in_a_moved_folder(root):
    for split in ("train", "validation"):
        for name in ("cats", "dogs"):
            fill(root / split / name, 30)
    before = paths(load(root, subsample=10), "train", root)
    moved = root.rename(root.with_name("moved"))
    assert paths(load(moved, subsample=10), "train", moved) == before


def test_fingerprint_does_not_depend_on_file_names(split_root):
    before = load(split_root).fingerprint()
    for index, path in enumerate(sorted((split_root / "train" / "cats").iterdir())):
        path.rename(path.with_name(f"{9 - index}.jpg"))
    assert load(split_root).fingerprint() == before


def test_fingerprint_does_not_depend_on_the_order_of_classes(split_root):
    fingerprint = load(split_root, ("dogs", "cats")).fingerprint()
    assert fingerprint == load(split_root).fingerprint()


def test_fingerprint_changes_with_content_class_and_split(split_root):
    fingerprints = {load(split_root).fingerprint()}
    photo = split_root / "train" / "cats" / "0.png"
    photo.write_text("changed")
    fingerprints.add(load(split_root).fingerprint())
    photo = photo.rename(split_root / "train" / "dogs" / "moved.png")
    fingerprints.add(load(split_root).fingerprint())
    photo.rename(split_root / "validation" / "dogs" / "moved.png")
    fingerprints.add(load(split_root).fingerprint())
    assert len(fingerprints) == 4


def test_the_order_that_a_resumed_run_finds_again_is_that_of_photos_and_groups(split_root):
    as_they_are = load(split_root)
    grouped = load(split_root, group="train|validation")
    assert grouped.fingerprint() == as_they_are.fingerprint()
    assert grouped.order_fingerprint() != as_they_are.order_fingerprint()
    photo = split_root / "train" / "cats" / "0.png"
    photo.rename(photo.with_name("last.png"))
    renamed = load(split_root)
    assert renamed.fingerprint() == as_they_are.fingerprint()
    assert renamed.order_fingerprint() != as_they_are.order_fingerprint()


def test_photos_in_no_class_folder_are_counted(split_root):
    fill(split_root / "train", 2)
    dataset = load(split_root)
    assert dataset.count("train") == 8
    assert dataset.notes == [f"{split_root / 'train'}: left out, in no class folder: 2 photos"]


def test_test_folder_beside_class_folders_is_no_class(tmp_path):
    for name in ("cats", "dogs", "test/cats"):
        fill(tmp_path / name, 20)
    dataset = load(tmp_path)
    assert dataset.class_names == ("cats", "dogs")
    assert sum(map(dataset.count, ("train", "validation"))) == 40


def test_leak_between_the_splits_is_named(split_root):
    trained = split_root / "train" / "cats" / "2.png"
    leaked = split_root / "validation" / "cats" / "1.png"
    leaked.write_bytes(trained.read_bytes())
    assert load(split_root).warnings == [
        "1 validation photo is also trained on and will flatter the accuracy, "
        f"e.g. {leaked} = {trained} "
        "(`catsdogs check` names all, and near copies)"
    ]


def test_leaks_between_the_splits_are_counted(split_root):
    trained = split_root / "train" / "cats" / "2.png"
    for name in ("cats", "dogs"):
        (split_root / "validation" / name / "1.png").write_bytes(trained.read_bytes())
    leaked = split_root / "validation" / "dogs" / "1.png"
    assert load(split_root).warnings == [
        f"1 photo under one class and under another as well, e.g. {trained} = {leaked} "
        "(`catsdogs check` names all)",
        "2 validation photos are also trained on and will flatter the accuracy, "
        f"e.g. {split_root / 'validation' / 'cats' / '1.png'} = {trained} "
        "(`catsdogs check` names all, and near copies)",
    ]


def test_unreadable_file_is_listed_and_left_out(split_root):
    dangling = split_root / "train" / "cats" / "gone.jpg"
    dangling.symlink_to("nowhere.jpg")
    dataset = load(split_root)
    assert dataset.unreadable == [(dangling, "no such file or directory")]
    assert counts(dataset) == {"train": 8, "validation": 4}


def test_class_of_unreadable_files_is_refused(split_root):
    for path in (split_root / "train" / "dogs").iterdir():
        path.unlink()
        path.symlink_to("nowhere.png")
    example = split_root / "train" / "dogs" / "0.png"
    assert refusal(split_root) == (
        f"{split_root} leaves no photo of dogs to train on (4 photos cannot be read, e.g. "
        f"{example}: no such file or directory): add photos of dogs"
    )


def test_what_is_said_of_many_classes_is_one_line(root):
    for number in range(40):
        fill(root / f"class_{number:02}", 2)
        (root / f"empty_{number:02}").mkdir()
    by_beginning = load(root, validation_fraction=1e-9).notes
    assert [note.partition(" and ")[2] for note in by_beginning[:2]] == [
        "30 more hold no photos and are left out",
        "30 more have few photos: one of each is kept for validation",
    ]
    assert len(by_beginning) == 3
    assert len(load(root, validation_fraction=1e-9, subsample=2).notes) <= 5


def test_test_without_train_is_refused(root):
    fill(root / "test" / "cats", 2)
    fill(root / "test" / "dogs", 2)
    assert refusal(root) == f"{root} has test/ but no train/: add {root / 'train'}"


def test_progress_counts_every_file(split_root):
    (split_root / "train" / "cats" / "gone.jpg").symlink_to("nowhere.jpg")
    advances = []
    load_dataset(DataConfig(dir=str(split_root)), 0, on_hashed=advances.append)
    assert sum(advances) == 13


def test_relative_folder_is_read_from_where_the_command_runs(split_root, monkeypatch):
    monkeypatch.chdir(split_root)
    dataset = load(".", subsample=4)
    assert counts(dataset) == {"train": 2, "validation": 2}
    assert dataset.splits["train"][0].path.parent == Path("train/cats")


def test_class_folder_that_is_not_named_in_utf8_is_one_line(class_folders):
    folder = class_folders / "train" / os.fsdecode(b"caf\xe9")
    (class_folders / "train" / "cats").rename(folder)
    with pytest.raises(DataError) as error:
        load_dataset(DataConfig(dir=str(class_folders)), 0)
    assert str(error.value) == f"{folder} is not named in UTF-8: rename the folder"


def test_classes_that_differ_in_letter_case_alone_are_kept_apart_with_a_note(class_folders):
    train = class_folders / "train"
    shutil.copytree(train / "cats", train / "Cats")
    if len(list(train.iterdir())) < 3:
        pytest.skip("a file system that does not tell letter case")
    dataset = load_dataset(DataConfig(dir=str(train)), 0)
    assert dataset.class_names == ("Cats", "cats", "dogs")
    assert (
        f"{train / 'Cats'} and {train / 'cats'} are different classes, named the same but for "
        "upper and lower case"
    ) in dataset.notes
