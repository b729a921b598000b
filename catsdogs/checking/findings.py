"""What `catsdogs check` can find: its kinds, in the order of their weight."""

from dataclasses import dataclass
from pathlib import Path

KINDS = {
    "unreadable": "unreadable or damaged",
    "too_large": "too large to decode",
    "label_conflict": "copies under several classes",
    "leak": "copies in several splits",
    "split_group": "groups in several splits",
    "split_moment": "taken at the same moment, in several splits",
    "duplicate": "copies within a class",
    "flat": "one colour, or nearly so",
    "too_small": "too small to tell much",
    "wrong_suffix": "content other than the suffix says",
    "layout": "folders that do not fit together",
    "imbalance": "classes of very different size",
    "several_frames": "several frames, of which the first is used",
    "odd_layout": "how the folders are read",
    "odd_file": "files that are left out",
}
"""Each kind with what it means, for people; the names are those of the JSON."""

NOTES = frozenset({"several_frames", "odd_layout", "odd_file"})
"""Kinds that are worth knowing but nothing to mend: they leave the exit status at 0."""


@dataclass(frozen=True)
class Finding:
    """Something about one file, or about several that belong together.

    Attributes:
        kind: `leak`, `duplicate` or another key of `catsdogs.checking.findings.KINDS`, which says
            what each means.
        paths: the files or folders it is about, the first one first in order.
        detail: what it is in this case.
    """

    kind: str
    paths: tuple[Path, ...]
    detail: str

    @property
    def is_note(self) -> bool:
        """Worth knowing, but nothing to mend."""
        return self.kind in NOTES
