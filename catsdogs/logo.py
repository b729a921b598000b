"""The mark of catsdogs, for the tabs of the pages that it writes."""

from importlib.resources import files
from urllib.parse import quote


def logo_uri() -> str:
    """The mark as a data URI, for pages that load nothing; `docs/` has the same file."""
    lines = (files("catsdogs") / "logo.svg").read_text(encoding="utf-8").splitlines()
    return "data:image/svg+xml," + quote("".join(lines), safe=" :/=")
