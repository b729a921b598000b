import io
from pathlib import Path

import pytest

from catsdogs.data.dataset import list_photos
from catsdogs.data.photo_paths import Shard, find_photos, parse_shard, read_path_list
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
        f"{tmp_path} holds no photos: expected jpg, png, webp, gif, bmp or tiff"
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
        assert str(raised.value) == f"--shard should be I/N, from 1/N to N/N, got {text!r}"


@pytest.mark.parametrize(
    ("listed", "paths"),
    [
        (b"", []),
        (b"a.jpg\nb c.jpg\r\n\n./d.jpg", ["a.jpg", "b c.jpg", "d.jpg"]),
        (b"a.jpg\0b\nc.jpg\0", ["a.jpg", "b\nc.jpg"]),
        (b"one.jpg", ["one.jpg"]),
        (b"\xff.jpg\n", ["\udcff.jpg"]),
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
