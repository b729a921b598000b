"""Which bytes of a file are read, and under which hash they are known."""

import os

import pytest

from catsdogs.data.contents import MAX_BYTES, TooLargeError, hash_content, hash_file


@pytest.mark.parametrize("size", [0, 9, 10, 2**18 + 11, 2**20])
def test_a_file_is_known_by_its_content(tmp_path, size):
    content = os.urandom(size)
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    assert hash_file(path, 10) == (hash_content(content), content[:10])


def test_no_more_of_a_file_is_hashed_than_a_photo_has(tmp_path):
    path = tmp_path / "photo.jpg"
    path.touch()
    os.truncate(path, MAX_BYTES + 1)
    with pytest.raises(TooLargeError, match="320 MB are more than the 320 that are read"):
        hash_file(path, 10)
