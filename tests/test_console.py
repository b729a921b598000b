import io
import re

import pytest

from catsdogs import console
from catsdogs.console import Console, format_duration


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def terminal_settings(monkeypatch):
    """No matter where the tests run: a common terminal, 80 columns wide."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


class Clock:
    seconds = 100.0

    def monotonic(self):
        return self.seconds


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on only where a test says so."""
    monkeypatch.setattr(console, "time", Clock())
    return console.time


def without_escapes(text):
    """What is left of a terminal's stream when colours and movements are taken out."""
    return re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", text)


def test_notes_and_warnings_are_plain_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    Console(stream).note("trained")
    Console(stream).warn("cat.jpg is skipped")
    assert stream.getvalue() == "trained\nwarning: cat.jpg is skipped\n"


@pytest.mark.parametrize("terminal", ["", "dumb"])
def test_long_note_stays_on_one_line_where_no_width_is_known(monkeypatch, terminal):
    monkeypatch.setenv("TERM", terminal or "xterm")
    stream = Terminal() if terminal else io.StringIO()
    Console(stream).note("path " * 100)
    assert stream.getvalue() == "path " * 100 + "\n"


def test_long_note_is_broken_between_words_on_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    Console(stream).note("no photo has more than 160 pixels on its shorter side: see `--help`")
    assert stream.getvalue() == (
        "no photo has more than 160 pixels on its\n  shorter side: see `--help`\n"
    )


def test_brackets_and_colons_are_no_markup():
    stream = io.StringIO()
    Console(stream).note("[red]cats[/red] :cat: [/] 1 [2]")
    assert stream.getvalue() == "[red]cats[/red] :cat: [/] 1 [2]\n"


@pytest.mark.parametrize("stream_class", [io.StringIO, Terminal])
def test_control_characters_are_written_out(stream_class):
    stream = stream_class()
    Console(stream).note("a\nb\x1b[2J\t")
    assert stream.getvalue() == "a\\nb\\x1b[2J\\t\n"


def test_warning_is_yellow_on_a_terminal():
    stream = Terminal()
    Console(stream).warn("\x1b[2J is skipped")
    assert stream.getvalue() == "\x1b[33mwarning: \\x1b[2J is skipped\x1b[0m\n"


def test_task_prints_a_line_every_10_seconds_where_there_is_no_terminal(clock):
    stream = io.StringIO()
    with Console(stream).task("reading", 4000) as task:
        task.advance(500)
        clock.seconds += 9.9
        task.advance(500)
        clock.seconds += 0.1
        task.advance(1000)
        clock.seconds += 2
        task.advance(500)
        clock.seconds += 8
        task.advance(500, loss=0.25, accuracy=0.5)
        task.advance(1000)
    assert stream.getvalue() == (
        "reading  2,000/4,000 photos  200/s  10.0 s left\n"
        "reading  3,000/4,000 photos  150/s  6.7 s left  loss 0.2500  accuracy 0.5000\n"
    )


def test_task_of_unknown_length_counts_without_an_end(clock):
    stream = io.StringIO()
    with Console(stream).task("reading\n") as task:
        clock.seconds += 70
        task.advance(7000)
    assert stream.getvalue() == "reading\\n  7,000 photos  100/s\n"


def test_task_without_progress_says_nothing_of_the_time_left(clock):
    stream = io.StringIO()
    with Console(stream).task("reading", 10) as task:
        clock.seconds += 10
        task.advance(0)
    assert stream.getvalue() == "reading  0/10 photos  0/s\n"


def test_bar_shows_photos_rate_time_and_figures(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with Console(stream).task("epoch 1/5", 4000) as task:
        clock.seconds += 10
        task.advance(1000)
        task.advance(1000, loss=0.25, accuracy=0.5)
    assert re.search(
        r"epoch 1/5 [━╸╺]+ 2,000/4,000 photos  200/s  10\.0 s left  loss 0\.2500  accuracy 0\.5000",
        without_escapes(stream.getvalue()),
    )


def test_bar_shows_title_and_every_figure_on_80_columns(clock):
    stream = Terminal()
    with Console(stream).task("epoch 1/5", 20000, batch_size=16) as task:
        clock.seconds += 4
        task.advance(1000, loss=0.25, accuracy=0.5)
    assert re.search(
        r"epoch 1/5 ━.* step 63/1,250 .*250/s .*loss 0\.2500 .*accuracy 0\.5000",
        without_escapes(stream.getvalue()),
    )


@pytest.mark.parametrize(
    ("columns", "bar"),
    [
        (81, "epoch 1/5 ━ 1,000/4,000 photos  250/s  12.0 s left  loss 0.2500  accuracy 0.5000"),
        (79, "epoch 1/5 ━ 1,000/4,000 photos  12.0 s left  loss 0.2500  accuracy 0.5000"),
        (60, "epoch 1/5 ━ 1,000/4,000 photos  12.0 s left  loss 0.2500"),
        (43, "epoch 1/5 ━ 1,000/4,000 photos  12.0 s left"),
        (40, "epoch… ━ 1,000/4,000 photos  12.0 s left"),
    ],
)
def test_narrow_bar_keeps_the_count_and_the_time_left(clock, monkeypatch, columns, bar):
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    with Console(stream).task("epoch 1/5", 4000) as task:
        clock.seconds += 4
        task.advance(1000, loss=0.25, accuracy=0.5)
    last = without_escapes(stream.getvalue()).split("\r")[-2]
    assert re.sub("[━╸╺]+", "━", last.split("\n")[0]).rstrip() == bar


def test_bar_goes_when_the_work_ends():
    stream = Terminal()
    with Console(stream).task("reading", 10) as task:
        task.advance(10)
    assert stream.getvalue().endswith("\x1b[1A\x1b[2K")


def test_bar_goes_when_the_work_fails():
    stream = Terminal()
    with pytest.raises(ValueError, match="no luck"), Console(stream).task("reading", 10):
        raise ValueError("no luck")
    assert stream.getvalue().endswith("\x1b[1A\x1b[2K")


def test_console_writes_to_stderr_by_default(capsys):
    Console().note("hello")
    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (8.3, "8.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1:00 min"),
        (60, "1:00 min"),
        (65, "1:05 min"),
        (3599.4, "59:59 min"),
        (3599.6, "1:00:00 h"),
        (7800, "2:10:00 h"),
        (360_000, "100:00:00 h"),
    ],
)
def test_duration_is_written_as_people_say_it(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"])
def test_no_variable_makes_a_terminal_of_a_log(monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    stream, lines = io.StringIO(), []
    for shown in (Console(stream), Console.telling(lines.append)):
        shown.warn("look")
        with shown.task("reading", 2) as task:
            task.advance(2)
    assert stream.getvalue().startswith("warning: look\n")
    assert "\x1b" not in stream.getvalue() + "".join(lines)
