"""Standard streams that are closed or full: the work is done, what cannot be printed is lost."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

FULL = "/dev/full"
needs_full = pytest.mark.skipif(not os.path.exists(FULL), reason=f"no {FULL}")  # noqa: PTH110


def shell(redirection, arguments, folder):
    """Run catsdogs with a shell's redirection; exit status, standard output and error."""
    command = f'exec "$0" -m catsdogs {arguments} {redirection}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout, done.stderr


LOST = "error: standard output cannot be written ({}): the answer is lost, all else is done\n"


@pytest.fixture
def checked(tmp_path, class_folders):
    return tmp_path


@pytest.mark.parametrize("redirection", ["<&-", "2>&-", "<&- 2>&-"])
def test_an_answer_needs_neither_standard_input_nor_standard_error(checked, redirection):
    plain = shell("", "cache --dir .", checked)
    assert plain[0] == 0
    assert shell(redirection, "cache --dir .", checked) == (0, plain[1], "")


def test_a_closed_standard_output_is_one_line(checked):
    assert shell(">&-", "cache --dir .", checked) == (1, "", LOST.format("it is closed"))


@needs_full
@pytest.mark.parametrize("arguments", ["cache --dir .", "--help", "check --help", "sample photos"])
def test_a_full_standard_output_is_one_line(checked, arguments):
    lost = LOST.format("no space left on device")
    assert shell(f">{FULL}", arguments, checked) == (1, "", lost)


def test_what_is_not_printed_is_done_all_the_same(checked):
    assert shell(">&- 2>&-", "sample photos", checked)[0] == 1
    assert len(list((checked / "photos").rglob("*.*"))) > 100


def test_a_file_that_is_opened_never_takes_the_place_of_a_closed_stream(checked):
    (checked / "data" / "train" / "cats" / "bad.png").write_bytes(b"no picture")
    code, out, _ = shell("<&- >&- 2>&-", "check --fast data --quarantine aside", checked)
    assert (code, out) == (1, "")
    assert (checked / "aside" / "manifest.csv").read_text().startswith("from,")


@needs_full
def test_a_full_log_ends_nothing(checked):
    plain = shell("", "check --fast data", checked)
    assert shell(f"2>{FULL}", "check --fast data", checked) == (plain[0], plain[1], "")


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(checked):
    command = '"$0" -m catsdogs check data --format json | true; echo ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable], cwd=checked, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr


def test_an_error_is_broken_between_words_on_a_terminal(tmp_path):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    pytest.importorskip("termios").tcsetwinsize(theirs, (24, 40))
    subprocess.run([sys.executable, "-m", "catsdogs", "check"], cwd=tmp_path, stderr=theirs)
    os.close(theirs)
    assert os.read(ours, 10_000).decode().splitlines() == [
        "error: no folder data: run",
        "  `catsdogs sample` for the built-in",
        "  photos, or give a folder with one",
        "  folder per class in it",
    ]
