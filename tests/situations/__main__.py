"""`python -m tests.situations` writes docs/robustness.md anew."""

import os
import tempfile
from pathlib import Path

from . import make_template
from .document import DOCUMENT, happen, render

with tempfile.TemporaryDirectory() as name:
    os.environ["XDG_CACHE_HOME"] = str(Path(name, "cache"))
    template = Path(name, "template")
    template.mkdir()
    make_template(template)
    DOCUMENT.write_text(render(happen(template, Path(name))), encoding="utf-8")
