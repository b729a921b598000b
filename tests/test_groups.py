"""What belongs together stays together: groups by pattern, by column, by moment."""

import datetime
import struct
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from catsdogs.checking.folder_listing import list_data_folder
from catsdogs.config import DataConfig
from catsdogs.data.dataset import load_dataset
from catsdogs.data.groups import find_groups, held_back_groups, tie_together
from catsdogs.data.images import read_exif
from catsdogs.data.moments import Moment, moment_of, same_moments
from catsdogs.errors import ConfigError, DataError

NUM_PATIENTS = 20


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """photos/ill and photos/well: 20 patients, 5 photos each, the even ones with some of both."""
    monkeypatch.chdir(tmp_path)
    for patient in range(NUM_PATIENTS):
        for number in range(5):
            name = "ill" if (patient % 2 == 0 and number < 3) or patient % 4 == 1 else "well"
            path = Path("photos", name, f"p{patient:02}_{number}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{patient} {number}")
    return tmp_path


def load(root="photos", as_one=False, **config):
    return load_dataset(DataConfig(dir=str(root), **config), 0, as_one=as_one)


def patients(dataset, split):
    return {sample.path.name[:3] for sample in dataset.splits[split]}


def refusal(error, **config):
    with pytest.raises(error) as caught:
        load(**config)
    return str(caught.value)


@pytest.mark.parametrize("pattern", [r"(p\d+)_", r"(?P<group>p\d+)_(\d)", r"p\d+", r"^\w+/(.+)_"])
def test_no_group_crosses_splits(folder, pattern):
    dataset = load(group=pattern)
    assert not patients(dataset, "train") & patients(dataset, "validation")
    assert patients(dataset, "train") | patients(dataset, "validation") == {
        f"p{number:02}" for number in range(NUM_PATIENTS)
    }
    assert 12 <= dataset.count("validation") <= 28  # of 100, a fifth as near as groups allow
    assert min(dataset.class_counts("validation").values()) > 0
    assert "20 groups of 100 photos" in dataset.notes


def test_groups_of_a_column_stay_together_and_a_pattern_goes_before_it(folder):
    photos = sorted(Path("photos").rglob("*.png"))
    lines = [f"{path},{path.parent.name},{path.name[:3]},{path.name[4]}" for path in photos]
    Path("data.csv").write_text("path,label,group,Number\n" + "\n".join(lines))
    dataset = load("data.csv")
    assert not patients(dataset, "train") & patients(dataset, "validation")
    numbers = load("data.csv", group="number")
    assert patients(numbers, "train") & patients(numbers, "validation")
    assert {s.path.name[4] for s in numbers.splits["train"]}.isdisjoint(
        s.path.name[4] for s in numbers.splits["validation"]
    )
    by_pattern = load("data.csv", group=r"p\d(\d)_")
    assert {s.path.name[2] for s in by_pattern.splits["train"]}.isdisjoint(
        s.path.name[2] for s in by_pattern.splits["validation"]
    )


def test_copies_tie_their_groups_together(folder):
    names = [f"p{number:02}" for number in range(NUM_PATIENTS)]
    for one, other in pairwise(names[:10]):  # p00 to p09 are one group now
        source = next(Path("photos").rglob(f"{one}_0.png"))
        next(Path("photos").rglob(f"{other}_4.png")).write_bytes(source.read_bytes())
    dataset = load(group=r"(p\d+)_")
    tied = set(names[:10])
    assert tied <= patients(dataset, "train") or tied <= patients(dataset, "validation")
    assert not any("also trained on" in warning for warning in dataset.warnings)


def test_renaming_other_files_moves_no_group(folder):
    before = patients(load(group=r"(p\d+)_"), "validation")
    for path in list(Path("photos").rglob("*.png")):
        path.rename(path.with_stem(f"{path.stem}x"))
    assert patients(load(group=r"(p\d+)_"), "validation") == before


def test_photos_without_a_group_stand_for_themselves(folder):
    dataset = load(group=r"(p0\d)_")
    assert "10 groups of 50 photos; 50 more without one stand for themselves" in dataset.notes
    assert patients(dataset, "train") & patients(dataset, "validation") <= {
        f"p{number}" for number in range(10, 20)
    }


def test_a_class_of_one_group_trains_and_does_not_validate(folder):
    for path in list(Path("photos", "ill").iterdir()):
        if not path.name.startswith("p00"):
            path.unlink()
    dataset = load(group=r"(p\d+)_")
    assert dataset.class_counts("train")["ill"] == 3
    assert "ill has no group to spare: none of its photos validates" in dataset.notes


def test_subsampling_takes_groups_as_whole_as_it_can(folder):
    dataset = load(group=r"(p\d+)_", subsample=5)
    counts = Counter(s.path.name[:3] for s in dataset.splits["train"])
    assert dataset.count("train") in range(14, 18)
    assert len(counts) <= 8  # 80 photos of 16 patients: by chance, a fifth would be of nearly all


def test_a_pattern_that_finds_nothing_shows_a_path(folder):
    assert refusal(ConfigError, group=r"patient(\d+)") == (
        "data.group 'patient(\\\\d+)' finds nothing in any path, for example ill/p00_0.png: give a "
        "pattern that does"
    )


def test_a_pattern_that_finds_the_same_everywhere_is_refused(folder):
    assert refusal(ConfigError, group="p").startswith(
        "data.group finds 'p' in 100 of 100 photos and no other group: put into brackets what"
    )


def test_a_wrong_pattern_is_one_line(folder):
    assert refusal(ConfigError, group="(p") == (
        "data.group is no regular expression (missing ) at position 2)"
    )
    assert "regular expression" in refusal(ConfigError, group="(" * 1000)
    assert refusal(ConfigError, group="((a{999}){999}){999}") == (
        "data.group repeats more than 10,000 times: give less"
    )


def test_a_pattern_that_takes_for_ever_is_ended(folder, monkeypatch):
    monkeypatch.setattr("catsdogs.data.groups._MOST_SECONDS", 0.2)
    path = Path("photos", "ill", "a" * 200 + ".png")
    path.write_text("a")
    with pytest.raises(ConfigError, match="takes more than"):
        find_groups(r"(a|aa)+$", [path] * 3, Path("photos"), [])


def test_a_group_in_several_given_splits_is_refused_and_found_by_check(folder):
    for path in sorted(Path("photos").rglob("*.png")):
        split = "validation" if path.stem.endswith("4") and path.name < "p03" else "train"
        target = Path("data", split, path.parent.name, path.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    Path("data/validation/ill").mkdir(exist_ok=True)
    config = DataConfig(dir="data", group=r"(p\d+)_")
    with pytest.raises(DataError) as caught:
        load_dataset(config, 0)
    assert str(caught.value) == (
        "data: 3 groups have photos in several splits, e.g. p00 in train and validation: put all "
        "photos of a group into one split, or leave the splits out and let them be made"
    )
    as_one = load_dataset(config, 0, as_one=True)  # for folds
    assert as_one.warnings == []
    assert len({s.unit for s in as_one.splits["train"] if s.path.name.startswith("p00")}) == 1
    found = [f for f in list_data_folder(Path("data"), config).findings if f.kind == "split_group"]
    assert [finding.detail for finding in found] == [
        f"p0{number}: train and validation" for number in range(3)
    ]
    assert len(found[0].paths) == 5


def test_what_is_tied_has_one_name():
    a, b, c, d = (bytes([number]) * 16 for number in range(1, 5))
    assert tie_together([a, a, b, b"", b""], [c, d, d, c, b]) == [a, a, a, a, b]


def test_groups_of_any_size_leave_some_to_train_on():
    units = [b"a"] * 50 + [b"b"] * 45 + [b"c"] * 5
    chosen, without = held_back_groups(units, [0] * 100, 0.2)
    assert chosen == {b"c"}
    assert without == set()
    assert held_back_groups([b"a"] * 9, [0] * 9, 0.2) == (set(), {0})
    assert held_back_groups([b"a"] * 9 + [b"b"] * 9, [0] * 18, 0.2)[0] in ({b"a"}, {b"b"})


# --- moments ---------------------------------------------------------------------------------


def photo(path, taken, camera="A", seed=0, **options):
    """A photo with EXIF; `taken` in seconds after noon."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Maker", camera
    if taken is not None:
        time = datetime.datetime(2026, 1, 1, 12) + datetime.timedelta(seconds=taken)
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = (
            f"{time:%Y:%m:%d %H:%M:%S}"
        )
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".heic", ".avif"])
def test_the_moment_is_read_from_every_format(tmp_path, suffix):
    if suffix == ".heic":
        heif = pytest.importorskip("pillow_heif")
        image = Image.open(photo(tmp_path / "a.jpg", 5))
        heif.from_pillow(image).save(tmp_path / "a.heic", exif=image.info["exif"])
    else:
        photo(tmp_path / f"a{suffix}", 5)
    moment = moment_of(read_exif((tmp_path / f"a{suffix}").read_bytes()))
    assert moment is not None
    assert moment.camera == "Maker|A|"
    assert moment.seconds % 60 == 5


@pytest.mark.parametrize(
    "text", [b"0000:00:00 00:00:00", b"2026:13:01 12:00:00", b"2026-01-01", b"\xff" * 19, b""]
)
def test_a_time_that_is_none_is_none(tmp_path, text):
    content = photo(tmp_path / "a.jpg", 5).read_bytes()
    content = content.replace(b"2026:01:01 12:00:05", text.ljust(19, b"\0"))
    assert moment_of(read_exif(content)) is None


def test_a_time_that_is_written_as_bytes_is_read_too(tmp_path):
    block = read_exif(photo(tmp_path / "a.jpg", 5).read_bytes())
    order = "<" if b"II*" in block else ">"
    as_text, as_bytes = (struct.pack(f"{order}HHL", 0x9003, kind, 20) for kind in (2, 7))
    assert as_text in block
    assert moment_of(block.replace(as_text, as_bytes)) == moment_of(block)


@pytest.mark.parametrize("seed", range(50))
def test_damaged_exif_never_raises(tmp_path, seed):
    block = read_exif(photo(tmp_path / "a.jpg", 5).read_bytes())
    generator = np.random.default_rng(seed)
    damaged = bytearray(block)
    for place in generator.integers(6, len(block), 8):
        damaged[place] = generator.integers(256)
    moment_of(bytes(damaged))


def test_moments_chain_and_cameras_differ():
    moments = {
        "a": Moment(0, "x"), "b": Moment(9, "x"), "c": Moment(18, "x"), "d": Moment(30, "x"),
        "e": Moment(9, "y"), "f": Moment(40, "x"),
    }  # fmt: skip
    assert same_moments(moments) == [["a", "b", "c"], ["d", "f"]]


def test_a_clock_that_stands_still_says_nothing():
    assert same_moments({number: Moment(0, "scanner") for number in range(40)}) == []


@pytest.fixture
def bursts(tmp_path, monkeypatch):
    """photos/: 40 bursts of 3 within 4 s, a minute apart, of two classes."""
    monkeypatch.chdir(tmp_path)
    for burst in range(40):
        for number in range(3):
            path = Path("photos", "ab"[burst % 2], f"{burst}_{number}.jpg")
            photo(path, 60 * burst + 2 * number, seed=3 * burst + number)
    return tmp_path


def test_photos_of_one_moment_that_cross_splits_are_warned_about(bursts):
    (warning,) = load("photos").warnings
    assert (
        "validation photos were taken within 10 s of photos that are trained on, by the" in warning
    )
    assert warning.endswith(": data.group keeps together what belongs together")


def test_moments_are_groups_where_that_is_asked_for(bursts):
    dataset = load("photos", group="moment")
    bursts_of = {
        split: {s.path.name.split("_")[0] for s in samples}
        for split, samples in dataset.splits.items()
    }
    assert not bursts_of["train"] & bursts_of["validation"]
    assert dataset.count("validation") == 24
    assert dataset.warnings == []


def test_check_finds_moments_that_cross_splits(tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a", "b")):
        for split, seconds in (("train", 0), ("validation", 3)):
            photo(Path("data", split, name, "1.jpg"), seconds + 600 * number, seed=number + seconds)
    photo(Path("data/train/a/2.jpg"), 2000, seed=9)
    result = call("check", "--fast", code=1)
    assert "      2  taken at the same moment, in several splits" in result.stdout
    assert (
        "  data/train/a/1.jpg = data/validation/a/1.jpg  "
        "(by one camera, 10 s apart or less: train and validation)"
    ) in result.stdout


@pytest.mark.slow
def test_no_group_crosses_folds(folder, monkeypatch):
    dataset = load(group=r"(p\d+)_", as_one=True)
    samples = dataset.splits["train"]
    from catsdogs.training.cross_validation import assign_folds

    labels = np.array([sample.label for sample in samples])
    folds = assign_folds(labels, [sample.unit for sample in samples], 5)
    of_patient: dict[str, set[int]] = {}
    for sample, fold in zip(samples, folds, strict=True):
        of_patient.setdefault(sample.path.name[:3], set()).add(int(fold))
    assert all(len(found) == 1 for found in of_patient.values())
    assert len(np.unique(folds)) == 5
