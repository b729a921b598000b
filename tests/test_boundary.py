import os
import socket

import pytest

from catsdogs.errors import ConfigError, DataError
from catsdogs.untrusted.boundary import (
    MOST_MESSAGE_CHARACTERS,
    NotRegularError,
    TooLargeError,
    foreign_bytes,
    open_regular,
    read_bytes,
)


def message(path, problem, **options):
    with pytest.raises(DataError) as caught, foreign_bytes(path, **options):
        raise problem
    return str(caught.value)


class LibraryError(Exception):
    """Of a type that nobody here has heard of."""


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (LibraryError("no such thing"), "no such thing"),
        (LibraryError(), "LibraryError"),
        (MemoryError(), "it asks for more memory than there is"),
        (RecursionError("maximum recursion"), "nested too deeply"),
        (KeyError("name"), "it has no name"),
        (ValueError("two\nlines \x1b[31mred"), "two lines \\x1b[31mred"),
    ],
)
def test_whatever_goes_wrong_is_one_line_about_the_file(tmp_path, problem, reason):
    path = tmp_path / "file"
    assert message(path, problem, way_out="do so") == f"{path} is damaged ({reason}): do so"


def test_errors_of_the_system_say_that_the_file_cannot_be_read(tmp_path):
    path = tmp_path / "file"
    assert message(path, PermissionError(13, "Permission denied")) == (
        f"{path} cannot be read (permission denied)"
    )


def test_line_is_bounded_however_long_the_reason_and_the_error_for_the_user(tmp_path):
    assert len(message(tmp_path, ValueError("x" * 10**7))) < 300
    assert len(message(tmp_path, DataError("x" * 10**7))) <= MOST_MESSAGE_CHARACTERS + 1


def test_errors_for_the_user_pass_as_they_are(tmp_path):
    with pytest.raises(ConfigError, match=r"^give another$"), foreign_bytes(tmp_path, DataError):
        raise ConfigError("give another")


def test_stopping_by_the_user_passes(tmp_path):
    with pytest.raises(KeyboardInterrupt), foreign_bytes(tmp_path):
        raise KeyboardInterrupt


def test_only_ordinary_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name in ("pipe", "socket", "."):
            with pytest.raises(NotRegularError):
                open_regular(tmp_path / name)
    with pytest.raises(NotRegularError):
        open_regular((tmp_path / "null").parent.joinpath(os.devnull))


def test_larger_files_than_expected_are_not_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(TooLargeError, match="larger than 0 MiB"):
        read_bytes(path, 4)
    os.truncate(path, 2**40)
    with pytest.raises(TooLargeError):
        read_bytes(path, 2**30)
