import errno
import os
import subprocess
import time
from pathlib import Path

import pytest

from catsdogs.errors import DataError
from catsdogs.files import (
    check_writable,
    exists,
    holds_mark,
    is_dir,
    is_file,
    real_path,
    remove_abandoned_parts,
    replacing,
)


@pytest.fixture
def old(tmp_path):
    """A file that is there already."""
    path = tmp_path / "model.h5"
    path.write_text("old")
    return path


def write_half(path, error):
    with replacing(path) as part:
        part.write_text("half")
        raise error


def test_new_file_appears_at_the_end(tmp_path):
    path = tmp_path / "models" / "deep" / "new.h5"
    with replacing(path) as part:
        part.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_part_lies_beside_the_file_and_has_its_suffix(old):
    with replacing(old) as part:
        assert part.parent == old.parent
        assert part.suffix == ".h5"
        assert part != old
        part.write_text("new")


def test_old_file_is_replaced(old):
    with replacing(old) as part:
        part.write_text("new")
        assert old.read_text() == "old"
    assert old.read_text() == "new"
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_keeps_the_old_file_and_leaves_nothing_behind(old, error):
    with pytest.raises(error):
        write_half(old, error)
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_full_disk_is_explained_and_keeps_the_old_file(old):
    with pytest.raises(DataError) as caught:
        write_half(old, OSError(errno.ENOSPC, "No space left on device"))
    message = f"{old} cannot be written (no space left on device): choose another place"
    assert str(caught.value) == message
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_folder_at_the_place_of_the_file_is_explained(tmp_path):
    path = tmp_path / "model.h5"
    path.mkdir()
    with pytest.raises(DataError) as caught, replacing(path) as part:
        part.write_text("new")
    message = f"{path} cannot be written (is a directory): choose another place"
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == [path]


def test_file_at_the_place_of_the_folder_is_explained(old):
    path = old / "model.h5"
    with pytest.raises(DataError) as caught, replacing(path) as part:
        part.write_text("new")
    message = f"{path} cannot be written (file exists): choose another place"
    assert str(caught.value) == message
    assert old.read_text() == "old"


def test_check_passes_where_a_file_can_be_written_and_leaves_none(old):
    check_writable(old)
    check_writable(old.parent / "models" / "new.h5")
    assert old.read_text() == "old"
    assert not list((old.parent / "models").iterdir())


def test_check_refuses_a_folder_at_the_place_of_the_file(tmp_path):
    with pytest.raises(DataError) as caught:
        check_writable(tmp_path)
    message = f"{tmp_path} cannot be written (is a folder): choose another place"
    assert str(caught.value) == message


def test_check_refuses_a_file_at_the_place_of_the_folder(old):
    path = old / "model.h5"
    with pytest.raises(DataError) as caught:
        check_writable(path)
    message = f"{path} cannot be written (file exists): choose another place"
    assert str(caught.value) == message


def make_part(folder, host, pid, age_seconds=0):
    path = folder / f".model.{host}.{pid}.part.h5"
    path.write_text("half")
    os.utime(path, (time.time() - age_seconds,) * 2)
    return path


@pytest.fixture
def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def own_host(folder):
    with replacing(folder / "model.h5") as part:
        part.write_text("new")
        return part.name.split(".")[2]


def test_what_a_killed_process_left_half_written_goes_at_the_next_check(tmp_path, dead_pid):
    host = own_host(tmp_path)
    make_part(tmp_path, host, dead_pid)
    check_writable(tmp_path / "other.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]


def test_what_may_still_be_written_stays(tmp_path, dead_pid):
    host = own_host(tmp_path)
    running = make_part(tmp_path, host, os.getppid())
    elsewhere = make_part(tmp_path, "other-host", dead_pid)
    mine = tmp_path / ".not.ours.part.h5"
    mine.write_text("a user's")
    remove_abandoned_parts(tmp_path)
    assert all(path.exists() for path in (running, elsewhere, mine))


def test_what_nobody_has_written_to_for_a_day_goes(tmp_path):
    make_part(tmp_path, "other-host", 1, age_seconds=25 * 3600)
    remove_abandoned_parts(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(small_disk):
    path = small_disk / "model.h5"
    path.write_text("old")
    with pytest.raises(DataError) as caught, replacing(path) as part:
        part.write_bytes(bytes(20 * 2**20))
    assert str(caught.value) == (
        f"{path} cannot be written (no space left on device): choose another place"
    )
    assert path.read_text() == "old"
    assert list(small_disk.iterdir()) == [path]


def test_a_read_only_folder_is_one_line(read_only_folder):
    reason = "read-only file system" if os.geteuid() == 0 else "permission denied"
    message = f"{read_only_folder / 'model.h5'} cannot be written ({reason}): choose another place"
    with pytest.raises(DataError) as caught:
        check_writable(read_only_folder / "model.h5")
    assert str(caught.value) == message
    with pytest.raises(DataError) as caught, replacing(read_only_folder / "model.h5") as part:
        part.write_text("new")
    assert str(caught.value) == message


def test_any_path_may_be_asked_about(tmp_path):
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").touch()
    for path in ("a" * 300, "a\0b", "circle", "file/below", "none", "/".join("a" * 3000)):
        assert not exists(tmp_path / path)
        assert not is_file(tmp_path / path)
        assert not is_dir(tmp_path / path)
        assert isinstance(real_path(tmp_path / path), Path)
    assert exists(tmp_path / "file")
    assert is_file(tmp_path / "file")
    assert is_dir(tmp_path)


@pytest.mark.parametrize(
    ("content", "is_ours"),
    [
        (b"", True),
        (b"by us", True),
        (b"by us" + bytes(200_000), True),
        (bytes(200_000) + b"by us", True),  # where some picture formats keep what they say
        (bytes(100_000) + b"by us" + bytes(100_000), False),
        (b"by others", False),
    ],
    ids=["empty", "short", "at its start", "at its end", "in its middle", "another's"],
)
def test_a_file_is_ours_by_what_it_says_at_its_start_or_its_end(tmp_path, content, is_ours):
    path = tmp_path / "picture"
    path.write_bytes(content)
    assert holds_mark(path, b"by us") == is_ours


def test_what_is_no_file_is_not_ours(tmp_path):
    assert not holds_mark(tmp_path, b"by us")
    assert not holds_mark(tmp_path / "nothing", b"by us")
