"""Tables as lines of text: straight columns, no frames, so that they can be searched and cut."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from catsdogs.text import printable, shortened

_MOST_CHARACTERS = 32
"""Of a cell that others stand behind: of a longer name, its beginning and its end are shown."""


def align(rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows of cells to lines with straight columns, two spaces between them.

    Args:
        rows: all of the same length; cells are made printable here, and short but in the last
            column.
        right: columns that are set to the right, for numbers.
    """
    cells = [[*map(_short, row[:-1]), *map(printable, row[-1:])] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            " " * (width - cell_len(cell)) + cell
            if index in right
            else cell + " " * (width - cell_len(cell))
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def path_last(line: str, names: Iterable[str], kind: str = "") -> str:
    """An answer for people, in columns: the path, which may be long, behind class and figure.

    Args:
        line: for programs: path, class, figure and perhaps more, with tabs between them.
        names: all that may stand in the place of a class.
        kind: a word that may stand behind the figure, to say what it is.
    """
    path, name, figure, *others = line.split("\t")
    if kind:
        figure, others = " ".join([figure, *others]).ljust(len(f"0.0000 {kind}")), []
    width = max(cell_len(_short(each)) for each in (name, *names))
    name = _short(name)
    return "  ".join([name + " " * (width - cell_len(name)), figure, path, *others])


def _short(cell: str) -> str:
    return printable(shortened(cell, _MOST_CHARACTERS))
