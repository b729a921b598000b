"""What `catsdogs review` found, as text, JSON or CSV."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from catsdogs.checking.suspects import SUSPECT_KINDS, Suspect
from catsdogs.reporting.table import align
from catsdogs.systems import shell_word
from catsdogs.text import counted, csv_row, printable

CSV_COLUMNS = ["path", "given", "likely", "probability", "kind", "also", "content"]


class Reviewed(Protocol):
    """The result of a review."""

    @property
    def folder(self) -> Path: ...
    @property
    def class_names(self) -> Sequence[str]: ...
    @property
    def num_photos(self) -> int: ...
    @property
    def backbone(self) -> str: ...
    @property
    def suspects(self) -> Sequence[Suspect]: ...
    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def unreadable(self) -> Sequence[tuple[Path, str]]: ...
    @property
    def page_path(self) -> Path: ...
    @property
    def seconds(self) -> float: ...


class Applied(Protocol):
    """What became of decisions."""

    @property
    def counts(self) -> dict[str, int]: ...
    @property
    def moved(self) -> Sequence[object]: ...
    @property
    def folder(self) -> Path: ...


def suspects_as_text(reviewed: Reviewed) -> Iterator[str]:
    """A table of the kinds, then each photo with its rank."""
    yield (
        f"{counted(reviewed.num_photos, 'photo')} of {len(reviewed.class_names)} classes, by "
        f"{reviewed.backbone}"
    )
    listed = Counter(suspect.kind for suspect in reviewed.suspects)
    found = Counter(kind for suspect in reviewed.suspects for kind in suspect.reasons)
    yield ""
    if not reviewed.suspects:
        yield "nothing found"
    for kind, title in SUSPECT_KINDS.items():
        if found[kind]:
            num_others = found[kind] - listed[kind]  # a photo stands under its weightiest kind
            sequel = f", and {num_others:,} of those above" if num_others else ""
            yield f"{listed[kind]:7,}  {title}{sequel}"
    ranked = enumerate(reviewed.suspects, start=1)
    for kind, of_kind in groupby(ranked, lambda one: one[1].kind):
        yield ""
        yield f"{SUSPECT_KINDS[kind]}:"
        rows = [_row(rank, suspect) for rank, suspect in of_kind]
        yield from align([("rank", "label", "likely", "", "photo"), *rows], right=(0,))


def _row(rank: int, suspect: Suspect) -> tuple[str, ...]:
    """Its class, what it may be, where it is and whatever else there is to say of it."""
    said = [
        detail or SUSPECT_KINDS[kind]
        for kind, detail in suspect.reasons.items()
        if detail or kind != suspect.kind
    ]
    sequel = f": {'; '.join(said)}" if said else ""
    probability = f"{suspect.probability:.4f}"
    return f"{rank:,}", suspect.given, suspect.likely, probability, f"{suspect.path}{sequel}"


def suspects_as_csv(suspects: Sequence[Suspect]) -> Iterator[str]:
    """A row a photo, in the order of suspicion; `also` holds its lesser kinds.

    With a column `decision` and one `class` it is what `--apply` takes.
    """
    yield ",".join(CSV_COLUMNS)
    for suspect in suspects:
        first, *others = suspect.reasons
        yield csv_row(
            [
                str(suspect.path),
                suspect.given,
                suspect.likely,
                f"{suspect.probability:.6f}",
                first,
                " ".join(others),
                suspect.content_hash.hex(),
            ]
        )


def suspects_as_json(reviewed: Reviewed) -> str:
    """Everything that was found, as one JSON object."""
    return json.dumps(
        {
            "folder": str(reviewed.folder),
            "class_names": list(reviewed.class_names),
            "num_photos": reviewed.num_photos,
            "backbone": reviewed.backbone,
            "suspects": [_record(suspect) for suspect in reviewed.suspects],
            "unreadable": [
                {"path": str(path), "reason": reason} for path, reason in reviewed.unreadable
            ],
            "notes": list(reviewed.notes),
            "page": str(reviewed.page_path),
            "seconds": round(reviewed.seconds, 3),
        },
        indent=1,
    )


def _record(suspect: Suspect) -> dict[str, Any]:
    first, *others = suspect.reasons
    return {
        "path": str(suspect.path),
        "given": suspect.given,
        "likely": suspect.likely,
        "probability": suspect.probability,
        "kind": first,
        "also": others,
        "details": {kind: detail for kind, detail in suspect.reasons.items() if detail},
        "other": str(suspect.other) if suspect.other else None,
        "content": suspect.content_hash.hex(),
    }


def decided_line(applied: Applied) -> str:
    """How photos were decided, and how what moved comes back."""
    words = {"keep": "kept", "move": "moved to another class", "leave_out": "left out"}
    words["unsure"] = "unsure"
    decided = ", ".join(f"{applied.counts[key]:,} {word}" for key, word in words.items())
    if not applied.moved:
        return f"{decided}; nothing has moved"
    place = printable(shell_word(str(applied.folder)))
    return f"{decided}; `catsdogs review --restore {place}` brings all of it back"
