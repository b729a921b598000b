import csv
import io

import pytest

from catsdogs.text import csv_cell, csv_row, csv_text, printable, some_of, wrapped


@pytest.mark.parametrize("text", ["", "my cat.jpg", "Kätzchen 猫 🐈.png", r"a\b"])
def test_ordinary_text_stays_as_it_is(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb", r"a\tb"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[2Jcat", r"\x1b[2Jcat"),
        ("\x9b2J", r"\x9b2J"),
        ("gpj\u202etac", r"gpj\u202etac"),
        ("a\u2028b", r"a\u2028b"),
        ("undecodable \udcff", r"undecodable \udcff"),
    ],
)
def test_what_acts_on_a_terminal_or_breaks_a_line_is_written_out(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'"]
)
def test_what_a_spreadsheet_would_compute_gets_an_apostrophe(start):
    assert csv_cell(f"{start}1+cmd|' /C calc'!A0") == f"'{start}1+cmd|' /C calc'!A0"
    assert csv_cell(start) == f"'{start}"


@pytest.mark.parametrize("text", ["", "cats", "a=b", "1 - 2", "data/-x.jpg", "Kätzchen", '"=x"'])
def test_other_cells_stay_as_they_are(text):
    assert csv_cell(text) == text


@pytest.mark.parametrize("text", ["", "cats", "=x", "'=x", "''", "-"])
def test_one_apostrophe_off_the_front_gives_the_text_back(text):
    assert csv_text(csv_cell(text)) == text


@pytest.mark.parametrize("character", ["\n", "\r", "\r\n", ",", '"'])
def test_a_row_of_a_table_stays_one_row_whatever_a_name_has_in_it(character):
    cells = [f"a{character}b.jpg", "cats", "=1"]
    text = f"{csv_row(cells)}\r\n"
    (row,) = csv.reader(io.StringIO(text, newline=""))
    assert [csv_text(cell) for cell in row] == cells


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["cats"], "cats"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
        ([str(number) for number in range(2003)], "0, 1, 2 and 2,000 more"),
    ],
)
def test_of_many_names_the_first_are_said_and_how_many_more_there_are(names, text):
    assert some_of(names, 3) == text


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("loss 0.25  accuracy 1", ["loss 0.25  accuracy 1"]),
        ("two spaces  and a comma, stay", ["two spaces  and a comma,", "  stay"]),
        (
            "run `catsdogs train --epochs 1`, then",
            ["run", "  `catsdogs train --epochs 1`,", "  then"],
        ),
        (
            "in data/a_path/that_is_wider/than_a_line a",
            ["in", "  data/a_path/that_is_wider/than_a_line", "  a"],
        ),
        ("猫 " * 9, ["猫 猫 猫 猫 猫 猫 猫 猫", "  猫"]),  # two columns each
    ],
)
def test_a_message_breaks_between_words_and_never_within_a_command_or_a_path(text, lines):
    assert wrapped(text, 24).split("\n") == lines


def test_a_long_word_is_indented_less_where_it_fits_then():
    lines = wrapped("weights  of /models/vgg16.h5 and more", 18, indent=9).split("\n")
    assert lines == ["weights  of", "  /models/vgg16.h5", "         and more"]
