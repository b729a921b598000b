import csv
import io

import pytest

from catsdogs.text import csv_cell, csv_row, csv_text, printable


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
