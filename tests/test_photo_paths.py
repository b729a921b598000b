import io
from pathlib import Path

import pytest

from catsdogs.data.photo_paths import (
    Shard,
    find_photos,
    parse_shard,
    read_path_list,
    walk_photos,
)
from catsdogs.data.walking import Tally, list_photos
from catsdogs.errors import ConfigError, DataError

PATHS = [f"photos/{number}.jpg" for number in range(1000)]


def test_folders_are_walked_in_the_order_of_the_dataset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b/2.jpg", "b.png", "b/a/1.jpg", "b-c/x.gif", "B/1.jpg", ".h/1.jpg", "n.txt"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "data" / "b")
    found = find_photos(["data"])
    assert found == list_photos(Path("data"))
    assert [str(path) for path in found] == [
        "data/B/1.jpg",
        "data/b/2.jpg",
        "data/b/a/1.jpg",
        "data/b-c/x.gif",
        "data/b.png",
    ]


def test_folder_without_photos_is_named(tmp_path):
    with pytest.raises(DataError) as raised:
        find_photos([str(tmp_path)])
    assert str(raised.value) == (
        f"{tmp_path} holds no photos: expected jpg, png, webp, heic, avif, gif, bmp or tiff"
    )


def test_every_path_is_in_exactly_one_part_and_the_parts_are_about_equal():
    parts = [[p for p in PATHS if Shard(number, 4).holds(p)] for number in (1, 2, 3, 4)]
    assert sorted(path for part in parts for path in part) == sorted(PATHS)
    assert [len(part) for part in parts] == [245, 238, 275, 242]


def test_a_part_depends_on_the_path_alone():
    part = [path for path in PATHS if Shard(2, 3).holds(path)]
    assert [path for path in reversed(PATHS[:500]) if Shard(2, 3).holds(path)] == [
        path for path in reversed(part) if path in PATHS[:500]
    ]


def test_shard_is_read_and_mistakes_are_refused():
    assert parse_shard("2/4") == Shard(2, 4)
    assert parse_shard("1/1").holds("any")
    for text in ("0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/4/2", ""):
        with pytest.raises(ConfigError) as raised:
            parse_shard(text)
        assert str(raised.value) == f"shard should be I/N, from 1/N to N/N, got {text!r}"


@pytest.mark.parametrize(
    ("listed", "paths"),
    [
        (b"", []),
        (b"a.jpg\nb c.jpg\r\n\n./d.jpg", ["a.jpg", "b c.jpg", "./d.jpg"]),
        (b"a.jpg\0b\nc.jpg\0", ["a.jpg", "b\nc.jpg"]),
        (b"one.jpg", ["one.jpg"]),
        (b"\xff.jpg\n", ["\udcff.jpg"]),
        (b"\xef\xbb\xbfa.jpg\nb.jpg\n", ["a.jpg", "b.jpg"]),
    ],
)
def test_lists_of_paths_are_lines_or_end_in_nul(listed, paths):
    assert list(read_path_list(io.BytesIO(listed))) == paths


def test_a_long_list_is_read_over_chunks():
    paths = [f"folder/{'x' * 50}{number}.jpg" for number in range(5000)]
    assert list(read_path_list(io.BytesIO("\n".join(paths).encode()))) == paths


def test_a_list_is_read_as_it_arrives():
    class Slow(io.BytesIO):
        asked = 0

        def read1(self, size):
            self.asked += 1
            return super().read1(10)

    slow = Slow(b"aaaa.jpg\nbbbb.jpg\ncccc.jpg\n")
    assert next(read_path_list(slow)) == "aaaa.jpg"
    assert slow.asked == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_list_in_utf_16_is_called_that(encoding):
    listed = ("" if encoding == "utf-16" else "\ufeff") + "a.jpg\r\nb.jpg\r\n"
    with pytest.raises(DataError) as raised:
        list(read_path_list(io.BytesIO(listed.encode(encoding))))
    assert str(raised.value) == "the list of photos is written in UTF-16: save it as UTF-8"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder; a function puts empty files into it."""
    monkeypatch.chdir(tmp_path)

    def put(*names):
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()

    return put


def found(*arguments):
    return list(walk_photos(arguments))


def test_paths_come_back_as_they_were_given(folder):
    folder("a/b/1.jpg", "a/2.jpg")
    given = ["./a/2.jpg", "a//2.jpg", "a/b/../2.jpg"]
    assert found(*given) == given
    assert found("./a") == ["./a/2.jpg", "./a/b/1.jpg"]
    assert found("./a/*.jpg") == ["./a/2.jpg"]


def test_stars_come_to_an_end_beside_links_in_circles_and_name_each_photo_once(folder, tmp_path):
    folder("a/1.jpg", "a/.hidden/2.jpg", "a/@eaDir/3.jpg", "b/4.jpg")
    for name, target in (("a/x", "."), ("a/y", ".."), ("b/z", "../a")):
        (tmp_path / name).symlink_to(target)
    assert found("**/*.jpg") == ["a/1.jpg", "b/4.jpg"]
    assert found("**") == ["a/1.jpg", "b/4.jpg"]
    assert found("a/**/*.jpg") == ["a/1.jpg"]
    assert found(f"{tmp_path}/**/*.jpg") == [f"{tmp_path}/a/1.jpg", f"{tmp_path}/b/4.jpg"]


def test_a_name_that_exists_is_no_pattern(folder):
    folder("photos [2024]/a [1].jpg", "photos [2024]/b.jpg", "photos 2/c.jpg")
    assert found("photos [2024]/a [1].jpg") == ["photos [2024]/a [1].jpg"]
    assert found("photos [2024]/*.jpg") == ["photos [2024]/a [1].jpg", "photos [2024]/b.jpg"]
    assert found("photos [2024]") == ["photos [2024]/a [1].jpg", "photos [2024]/b.jpg"]
    assert found("photos [12]/*") == ["photos 2/c.jpg"]


def test_what_lies_in_a_folder_and_is_no_photo_is_counted_by_kind(folder, tmp_path):
    folder("a/1.jpg", "a/2.cr2", "a/b/3.cr2", "a/n.txt", "a/LICENSE", "a/.DS_Store", "a/#recycle/x")
    (tmp_path / "a" / "up").symlink_to("..")
    tally = Tally()
    assert list(walk_photos(["a"], tally)) == ["a/1.jpg"]
    assert str(tally) == (
        "1 hidden file, 1 linked folder (a/up: a link to a folder above it), "
        "4 files that are no photos by their names (2 .cr2, 1 .txt, 1 without a suffix), "
        "1 folder that a system made (#recycle)"
    )
