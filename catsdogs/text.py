"""Text that comes from files and folders, made safe to print and to put into tables."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

_FORMULA_STARTS = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
    "'",
)
"""The first four in full width as well."""


def counted(number: int, noun: str) -> str:
    """`1 photo`, `2,000 photos`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def some_of(things: Sequence[object], most: int = 10) -> str:
    """The first few of some names, and how many more there are: `a, b, c and 34 more`."""
    named, more = ", ".join(map(str, things[:most])), len(things) - most
    return f"{named} and {more:,} more" if more > 0 else named


def printable(text: str) -> str:
    """Write out control characters, so that no name can break a line or act on a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def wrapped(text: str, width: int, indent: int = 2) -> str:
    """A message in lines of so many columns, all but the first indented by some.

    It breaks between words: what stands between backticks, to be copied, is one word. A long word,
    such as a path, is indented less to fit; one that is wider than a line stays whole and is the
    terminal's to break.
    """
    from rich.cells import cell_len  # not needed by `catsdogs --help`

    lines = [""]
    for space, word in re.findall(r"(\s*)(`[^`]*`\S*|\S+)", text):
        if lines[-1] and cell_len(lines[-1] + space + word) > width:
            room = width - cell_len(word)
            lines.append(" " * (min(indent, room) if room >= 0 else indent) + word)
        else:
            lines[-1] += space + word
    return "\n".join(lines)


def is_unicode(name: str) -> bool:
    """Whether a file name came out of its bytes as text."""
    return name.encode("utf-8", "ignore").decode() == name


def shortened(text: str, length: int = 200) -> str:
    """A text in one line of a message, however long it is: its beginning and its end."""
    half = length // 2
    return text if len(text) <= length else f"{text[:half]}…{text[-half:]}"


def csv_cell(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula.

    Before an apostrophe as well: whoever takes one off the front of a cell that has one has
    the text as it was.
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def csv_row(cells: Sequence[Any]) -> str:
    """One row of a CSV file, without the line break behind it.

    All but floating-point numbers is text, which comes as of `csv_cell`, and in quotes where it
    has a line break of any kind in it: Python quotes only those that end its rows.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([cell if isinstance(cell, float) else csv_cell(str(cell)) for cell in cells])
    return buffer.getvalue().removesuffix("\r\n")


def csv_text(cell: str) -> str:
    """The text of a cell that `csv_cell` made; of any other cell, the cell as it is."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA_STARTS) else cell


MOST_SHOWN = 200
"""Characters of a wrong key or value that a message repeats."""


def shown_value(value: object) -> str:
    """A value as a message repeats it: in one line, however large it is."""
    try:
        text = printable(repr(value))
    except (ValueError, RecursionError):  # a number of thousands of digits
        return "what is too large to show"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
