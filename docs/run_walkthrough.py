"""Run the commands that docs/phone.md shows, and put what they print into it: `make docs-pages`.

Where only numbers differ from what stands there (times, the last digits of another processor), the
page is left as it is.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parent / "phone.md"
_BLOCK = re.compile(r"```text\n\$ (catsdogs [^\n]*)\n(.*?)```", re.DOTALL)


def commands(page: str) -> list[str]:
    """The command lines that a page shows with their output, in its order."""
    return [block[1] for block in _BLOCK.finditer(page)]


def run(command: str, folder: Path) -> str:
    """What a command line prints where there is no terminal.

    Without the lines that come every ten seconds: a quick machine has none of them.

    Raises:
        RuntimeError: it fails.
    """
    _, *arguments = shlex.split(command)
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(folder / "cache"),
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(
        [sys.executable, "-m", "catsdogs", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return re.sub(r"^.* left(  .*)?\n", "", done.stdout, flags=re.MULTILINE)


def without_numbers(text: str) -> str:
    """Text with what differs between machines left out.

    Numbers, with the spaces before them, are `#`; so are what computes the frozen layers, and the
    photo about which two computations differ most.
    """
    text = re.sub(r"(, in |; )[^;\n]*?(float32|float16|keras)[^\n]*", r"\1#", text)
    text = re.sub(r"\(data/[^)\n]*\)", "(#)", text)
    return re.sub(r" *\d[\d,.]*(?: (?:ms|s|min)\b)?(?::\d\d)?", " #", text)


def rewritten(page: str, folder: Path) -> str:
    """The page with what its commands print now, in the folder that they are run in.

    All of it is of one run: where anything but numbers differs, everything is put in anew.
    """
    found = list(_BLOCK.finditer(page))
    printed = [run(block[1], folder) for block in found]
    if [without_numbers(text) for text in printed] == [without_numbers(b[2]) for b in found]:
        return page
    texts = iter(printed)
    return _BLOCK.sub(lambda block: f"```text\n$ {block[1]}\n{next(texts)}```", page)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        text = rewritten(PAGE.read_text(encoding="utf-8"), Path(scratch))
        PAGE.write_text(text, encoding="utf-8")
