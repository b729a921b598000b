"""Draw docs/run.svg, the terminal in README: run its three commands where nothing is cached.

On an idle machine, for the times: `python docs/draw_run.py`, with VGG16's weights at hand.
"""

import io
import re
import shutil
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text
from run_walkthrough import run

from catsdogs.reporting.table import path_last
from catsdogs.text import wrapped

PICTURE = Path(__file__).parent / "run.svg"
_COLUMNS = 92
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code", "ui-monospace"
)
"""Without fonts from elsewhere."""

_COMMANDS = (
    "catsdogs train --subsample 20 --epochs 1",
    "catsdogs finetune --epochs 2",
    "catsdogs predict image.jpg",
)


def shown(line: str) -> Text:
    """A line as a terminal has it."""
    if "\t" in line:
        line = path_last(line, ())
    return Text(wrapped(line, _COLUMNS), style="yellow" if line.startswith("warning") else "")


def draw(folder: Path) -> str:
    """The picture of a run in an empty folder, as SVG."""
    run("catsdogs sample", folder)
    shutil.copy(min((folder / "data" / "test" / "cats").iterdir()), folder / "image.jpg")
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), highlight=False)
    for command in _COMMANDS:
        console.print(Text(f"$ {command}", style="bold"))
        for line in run(command, folder).splitlines():
            console.print(shown(line), soft_wrap=True)
    console.print()  # the picture ends in the middle of its last line
    return console.export_svg(title="catsdogs", code_format=_FORMAT)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        PICTURE.write_text(draw(Path(scratch)), encoding="utf-8")
