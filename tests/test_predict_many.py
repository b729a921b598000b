"""`predict` in parts, from lists, and after an interruption."""

import io
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from catsdogs.cli import main

pytestmark = pytest.mark.slow

NEAR = 2e-6
SUFFIXES = {"text": "txt", "jsonl": "jsonl", "csv": "csv"}


@pytest.fixture
def folder(tmp_path, monkeypatch, unsure_model, make_photos):
    """Forty photos and one that is none; `models/catsdogs.h5`."""
    make_photos(tmp_path / "photos", 40, size=(32, 32))
    (tmp_path / "photos" / "bad, half.jpg").write_bytes(b"none")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "catsdogs.h5").symlink_to(unsure_model)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assert_same_answers(found, expected):
    """Everything but the probabilities is equal; those are near to float32's rounding.

    On some processors (AVX2, for one) an answer differs by some 1e-7 with its photo's place in
    the batch, which is another one in a part, or after an interruption.
    """
    number = re.compile(r"\b\d\.\d+(?:e-?\d+)?")
    assert [number.sub("N", line) for line in found] == [number.sub("N", line) for line in expected]
    values = [
        np.array([float(value) for line in lines for value in number.findall(line)])
        for lines in (found, expected)
    ]
    np.testing.assert_allclose(*values, atol=NEAR)


def lines_of(path):
    """With their ends, as they are."""
    return path.read_bytes().decode().splitlines(keepends=True)


def ask(*arguments, code=1, stdin=None):
    arguments = ["predict", *arguments, "--precision", "float32"]
    result = CliRunner().invoke(main, arguments, input=stdin)
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


@pytest.mark.parametrize("format_name", SUFFIXES)
def test_parts_put_together_are_the_whole(folder, format_name):
    whole = ask("photos", "--format", format_name).stdout
    parts = ""
    for number in (1, 2, 3):
        flags = ["--format", format_name, "--shard", f"{number}/3"]
        result = CliRunner().invoke(main, ["predict", "photos", *flags, "--precision", "float32"])
        parts += result.stdout
    assert_same_answers(sorted(parts.splitlines()), sorted(whole.splitlines()))
    assert parts.splitlines()[0] == whole.splitlines()[0] or format_name != "csv"
    assert len(whole.splitlines()) == 41 + (format_name == "csv")


@pytest.mark.parametrize("format_name", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.4, 0.97])
def test_resume_makes_of_a_cut_file_the_same_file(folder, format_name, share):
    flags = ["--format", format_name]
    ask("photos", *flags, "--output", "whole")
    whole = (folder / "whole").read_bytes()
    (folder / "cut").write_bytes(whole[: int(share * len(whole))])
    result = ask("photos", *flags, "--output", "cut", "--resume")
    assert result.stdout == ""
    assert_same_answers(lines_of(folder / "cut"), lines_of(folder / "whole"))


def test_resume_answers_again_for_a_photo_of_which_half_the_lines_are_there(folder):
    flags = ["--top", "2", "--output", "out.txt"]
    ask("photos", *flags)
    whole = lines_of(folder / "out.txt")
    (folder / "out.txt").write_text("".join(whole[:8]))
    ask("photos", *flags, "--resume")
    assert_same_answers(lines_of(folder / "out.txt"), whole)


def test_resume_of_a_finished_file_adds_new_photos_alone(folder, make_photos):
    ask("photos", "--format", "csv", "--output", "out.csv")
    before = (folder / "out.csv").read_text()
    new = make_photos(folder / "photos", 2, seed=7, size=(32, 32))
    ask("photos", "--format", "csv", "--output", "out.csv", "--resume", code=0)
    rest = (folder / "out.csv").read_text().removeprefix(before).splitlines()
    assert [line.split(",")[0] for line in rest] == [f"photos/{path.name}" for path in new]


def test_a_photo_that_is_asked_for_twice_is_answered_twice_also_over_a_resume(folder):
    names = ["photos/0_000.png", "photos/0_001.png", "photos/0_000.png"]
    ask(*names, "--output", "out.txt", code=0)
    whole = lines_of(folder / "out.txt")
    (folder / "out.txt").write_text("".join(whole[:2]))
    ask(*names, "--output", "out.txt", "--resume", code=0)
    assert_same_answers(lines_of(folder / "out.txt"), whole)


@pytest.mark.parametrize("separator", ["\n", "\0"])
def test_paths_come_from_standard_input_and_missing_ones_are_rows(folder, separator):
    listed = separator.join(["photos/0_003.png", "none.jpg", "photos/0_001.png"])
    result = ask("-", "--format", "jsonl", stdin=listed)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["path"] for row in rows] == ["photos/0_003.png", "none.jpg", "photos/0_001.png"]
    assert rows[1]["error"] == "no such file or directory"
    assert result.stderr.splitlines()[-1] == "1 of 3 photos could not be read"


def test_csv_with_a_line_break_in_a_name_is_resumed(folder):
    (folder / "photos" / "0_000.png").rename(folder / "photos" / "a\nb.png")
    ask("photos", "--format", "csv", "--output", "out.csv")
    whole = lines_of(folder / "out.csv")
    before, _, _ = "".join(whole).partition("b.png")
    (folder / "out.csv").write_text(before, newline="")
    ask("photos", "--format", "csv", "--output", "out.csv", "--resume")
    assert_same_answers(lines_of(folder / "out.csv"), whole)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--shard", "3/2"], "shard should be I/N, from 1/N to N/N, got '3/2'"),
        (["--resume"], "--resume goes on with a file: give --output FILE"),
        (
            ["--output", "there"],
            "there exists: give --resume to go on with it, or another --output",
        ),
        (
            ["--output", "there", "--resume"],
            "there, record 1, is no answer in the format text: choose the format that it was "
            "written in, or another file by --output FILE",
        ),
        (
            ["--shard", "1/2", "--format", "json"],
            "a JSON array cannot be put together from parts: give --format jsonl",
        ),
        (
            ["--output", "new", "--resume", "--format", "json"],
            "a JSON array cannot be continued: give --format jsonl",
        ),
        (["-"], "- takes the list of photos from standard input: give it alone"),
    ],
)
def test_contradictions_are_one_line_and_change_no_file(folder, flags, message):
    (folder / "there").write_text("my notes\n")
    result = ask("photos", *flags, code=2)
    assert (result.stdout, result.stderr) == ("", f"error: {message}\n")
    assert (folder / "there").read_text() == "my notes\n"
    assert not (folder / "new").exists()


def test_resume_refuses_the_columns_of_another_model(folder):
    (folder / "out.csv").write_text("path,class,probability,ants,bees,error\n")
    result = ask("photos", "--format", "csv", "--output", "out.csv", "--resume", code=2)
    assert result.stderr == (
        "error: out.csv begins with 'path,class,probability,ants,bees,error', this model would "
        "give 'path,class,probability,cats,dogs,error': give another --output\n"
    )
    assert (folder / "out.csv").read_text() == "path,class,probability,ants,bees,error\n"


def test_photos_are_taken_from_the_list_as_they_are_needed(folder):
    image = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
    image.save(folder / "black.png")
    listed = io.BytesIO(b"black.png\n" * 50_000)
    from catsdogs.commands.predict import Selection, predict
    from catsdogs.model.predictor import ModelRequest

    model = ModelRequest(folder / "models" / "catsdogs.h5", "float32")
    result = predict(["-"], model, None, Selection(listed))
    assert next(result.predictions).path.name == "black.png"
    assert listed.tell() < 100_000
    assert result.num_photos is None
    result.predictions.close()
