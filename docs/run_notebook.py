"""Run examples/notebook.ipynb, or another one, and keep what comes out in it: `make docs-pages`.

Where only numbers differ from what stands there, it is left as it is, like docs/phone.md.
"""

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from run_walkthrough import without_numbers

NOTEBOOK = Path(__file__).parent.parent / "examples" / "notebook.ipynb"


def run(notebook: Any, folder: Path) -> Any:
    """The notebook as it is after a run in an empty folder, of which nothing else is kept."""
    executed = nbformat.from_dict(notebook)
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    client = NotebookClient(
        executed, record_timing=False, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment)
    executed.metadata = notebook.metadata
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.outputs = _merged(cell.outputs)
    return executed


def _merged(outputs: list[Any]) -> list[Any]:
    """Lines that came one by one as one text, without those that slow machines alone print."""
    merged: list[Any] = []
    for output in outputs:
        is_text = output.output_type == "stream"
        if is_text and merged and merged[-1].get("name") == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    for output in merged:
        if output.output_type == "stream":
            output.text = re.sub(r"^.* left\n", "", output.text, flags=re.MULTILINE)
    return merged


def printed(notebook: Any) -> list[str]:
    """What each output shows, without its numbers: texts as they are, of pictures that they are."""
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                shown.append(output.text)
            elif "text/html" in output.data:
                shown.append(output.data["text/html"])
            else:
                shown.append(" ".join(sorted(output.data)))
    return [without_numbers(text) for text in shown]


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else NOTEBOOK
    before = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as scratch:
        after = run(before, Path(scratch))
    if printed(after) != printed(before):
        nbformat.write(after, path)
