import pytest

from catsdogs.reporting.text import printable


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
