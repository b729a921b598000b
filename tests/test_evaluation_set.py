import pytest

from catsdogs.config import DataConfig
from catsdogs.data.dataset import load_dataset
from catsdogs.data.evaluation_set import TrainedOn, find_labelled_photos
from catsdogs.errors import DataError

NAMES = ("cats", "dogs")
FLATTERING = "these photos chose the epoch that was kept: the figures are slightly flattering"


@pytest.fixture
def root(tmp_path, make_photos, monkeypatch):
    """data/validation with two photos a class, in a working folder of its own."""
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / "data" / "validation" / "cats", 2, 1)
    make_photos(tmp_path / "data" / "validation" / "dogs", 2, 2)
    return tmp_path


def find(root, folder="data", names=NAMES, trained_on=()):
    found = find_labelled_photos(root / folder, names, trained_on)
    return found.folder.relative_to(root).as_posix(), list(
        zip([path.name for path in found.paths], found.labels, strict=True)
    )


VALIDATION = [
    ("1_000.png", "cats"),
    ("1_001.png", "cats"),
    ("2_000.png", "dogs"),
    ("2_001.png", "dogs"),
]


@pytest.mark.parametrize("name", ["validation", "val", "valid", "Test"])
def test_test_and_validation_are_found_under_all_their_names(root, name):
    (root / "data" / "validation").rename(root / "data" / name)
    assert find(root) == (f"data/{name}", VALIDATION)


def test_test_goes_before_validation(root, make_photos):
    make_photos(root / "data" / "test" / "dogs", 1, 3)
    assert find(root) == ("data/test", [("3_000.png", "dogs")])


def test_a_folder_of_classes_is_taken_as_it_is(root):
    assert find(root, "data/validation") == ("data/validation", VALIDATION)


def test_labels_are_names_whatever_the_order_of_the_models_classes(root):
    assert find(root, names=("dogs", "birds", "cats")) == ("data/validation", VALIDATION)


def test_a_missing_class_is_a_warning(root):
    found = find_labelled_photos(root / "data", ("cats", "dogs", "owls"))
    assert found.warnings == [f"{root}/data/validation has no photos of owls"]
    assert found.notes == []


def test_a_folder_that_is_no_class_is_an_error_that_names_both_sides(root):
    with pytest.raises(DataError) as error:
        find_labelled_photos(root / "data", ("cats", "hounds"))
    assert str(error.value) == (
        f"{root}/data/validation has folders of cats, dogs, the model knows cats, hounds: "
        "rename or remove dogs"
    )


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        (
            "none",
            "no folder {}: run `catsdogs sample` for the built-in photos, "
            "or give a folder with one folder per class in it",
        ),
        (
            "data/validation/cats/1_000.png",
            "{} is a file: run `catsdogs sample` for the built-in photos, "
            "or give a folder with one folder per class in it",
        ),
        (
            "data/validation/cats",
            "{} has no class folders with photos: expected one folder per class, e.g. {}/cats",
        ),
    ],
)
def test_a_folder_without_photos_of_classes_is_an_error(root, folder, message):
    path = root / folder
    with pytest.raises(DataError) as error:
        find_labelled_photos(path, NAMES)
    assert str(error.value) == message.format(path, path)


def test_training_photos_alone_are_not_evaluated(root):
    (root / "data" / "validation").rename(root / "data" / "train")
    with pytest.raises(DataError) as error:
        find_labelled_photos(root / "data", NAMES)
    assert str(error.value) == (
        f"{root}/data has train/ but neither test/ nor validation/: "
        "give a folder with one folder per class in it"
    )


def test_photos_that_the_model_was_trained_on_are_warned_about(root):
    (root / "data" / "validation").rename(root / "data" / "train")
    found = find_labelled_photos(
        root / "data" / "train", NAMES, [TrainedOn(DataConfig(dir="data"))]
    )
    assert found.warnings == [
        f"the model was trained on {root}/data/train: the figures say nothing about new photos"
    ]


def test_photos_that_chose_the_epoch_are_noted(root):
    (root / "data" / "train").mkdir()
    found = find_labelled_photos(root / "data", NAMES, [TrainedOn(DataConfig(dir="data"))])
    assert found.notes == [FLATTERING]


@pytest.mark.parametrize("folder", ["data", "data/validation", "unsplit", "photos.csv"])
def test_a_head_that_was_solved_is_not_flattered(root, make_photos, folder):
    (root / "data" / "train").mkdir()
    make_photos(root / "unsplit" / "cats", 5, 5)
    make_photos(root / "unsplit" / "dogs", 5, 6)
    rows = [
        f"unsplit/{name}/{n}_00{i}.png,{name}"
        for name, n in (("cats", 5), ("dogs", 6))
        for i in range(5)
    ]
    (root / "photos.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    data = DataConfig(dir=folder.removesuffix("/validation"))
    notes = {
        chose: find_labelled_photos(
            root / folder, NAMES, [TrainedOn(data, chose_epoch=chose)]
        ).notes
        for chose in (False, True)
    }
    assert notes[True] == [*notes[False], FLATTERING]


@pytest.mark.parametrize("layout", ["unsplit", "unsplit/train"])
def test_of_a_folder_without_splits_only_what_the_training_held_back_is_taken(
    root, make_photos, layout
):
    make_photos(root / layout / "cats", 20, 5)
    make_photos(root / layout / "dogs", 20, 6)
    config = DataConfig(dir="unsplit", validation_fraction=0.3)
    held_back = load_dataset(config, 7).splits["validation"]
    found = find_labelled_photos(root / "unsplit", NAMES, [TrainedOn(config)])
    assert [path.name for path in found.paths] == [sample.path.name for sample in held_back]
    assert found.labels == [NAMES[sample.label] for sample in held_back]
    assert found.notes == [
        f"taking the {len(held_back)} photos of {root}/unsplit that a training on it holds back",
        FLATTERING,
    ]
    assert 4 < len(held_back) < 25


def test_a_folder_without_splits_that_the_model_has_not_seen_is_taken_whole(root):
    (root / "data" / "validation").rename(root / "other")
    assert find(root, "other", trained_on=[TrainedOn(DataConfig(dir="data"))]) == (
        "other",
        VALIDATION,
    )
