"""The page on which a person says what suspect photos are: one file that loads nothing."""

import base64
import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from catsdogs.checking.suspects import SUSPECT_KINDS, Suspect
from catsdogs.reporting.page_template import page_environment
from catsdogs.reporting.thumbnails import thumbnail
from catsdogs.systems import shell_word
from catsdogs.text import csv_cell

_PHOTO_PIXELS, _OTHER_PIXELS = 320, 240
"""Long sides of what is shown."""


@dataclass(frozen=True)
class Review:
    """What the page says.

    Attributes:
        folder: that was reviewed, as it was named; or a manifest.
        root: decisions name paths in this folder.
        class_names: all classes.
        num_photos: that were looked at.
        backbone: whose features were used, for people.
        suspects: those that are shown, the most suspect first.
        notes: what else the reader must know, a sentence each.
    """

    folder: Path
    root: Path
    class_names: tuple[str, ...]
    num_photos: int
    backbone: str
    suspects: Sequence[Suspect]
    notes: Sequence[str] = ()


def render_review(review: Review) -> str:
    """The whole page, with the photos in it."""
    style, script = (_text(name) for name in ("review.css", "review.js"))
    style = _text("report.css") + style
    found = Counter(kind for suspect in review.suspects for kind in suspect.reasons)
    return (
        page_environment()
        .get_template("review.html")
        .render(
            review=review,
            folder_word=shell_word(str(review.folder)),
            suspects=[_card(suspect, review.class_names) for suspect in review.suspects],
            class_names=review.class_names,
            kinds=[
                (kind, SUSPECT_KINDS[kind], found[kind]) for kind in SUSPECT_KINDS if found[kind]
            ],
            policy=_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            data=Markup(_json(_data(review))),
            now=datetime.datetime.now().astimezone(),
        )
    )


def _card(suspect: Suspect, class_names: Sequence[str]) -> dict[str, Any]:
    """A suspect as the template takes it."""
    label = _likely_label(suspect, class_names)
    return {
        "path": str(suspect.path),
        "given": suspect.given,
        "likely": suspect.likely,
        "probability": suspect.probability,
        "kinds": list(suspect.reasons),
        "reasons": [detail or SUSPECT_KINDS[kind] for kind, detail in suspect.reasons.items()],
        "move_to": "" if label is None else class_names[label],
        "photo": thumbnail(suspect.path, _PHOTO_PIXELS),
        "other": thumbnail(suspect.other, _OTHER_PIXELS) if suspect.other else "",
    }


def _likely_label(suspect: Suspect, class_names: Sequence[str]) -> int | None:
    """The class that `move` means: the likely one, or, of two, the other one."""
    if suspect.likely != suspect.given:
        return class_names.index(suspect.likely)
    if len(class_names) == 2:
        return 1 - class_names.index(suspect.given)
    return None


def _data(review: Review) -> dict[str, Any]:
    """What the script works with: cells of the CSV as they are, names as they are shown."""
    photos = [
        {
            "path": csv_cell(_inside(suspect.path, review.root)),
            "label": review.class_names.index(suspect.given),
            "likely": _likely_label(suspect, review.class_names),
            "content": suspect.content_hash.hex(),
        }
        for suspect in review.suspects
    ]
    described = json.dumps([list(review.class_names), photos], sort_keys=True)
    return {
        "id": hashlib.sha256(described.encode()).hexdigest()[:16],
        "classes": list(review.class_names),
        "cells": [csv_cell(name) for name in review.class_names],
        "photos": photos,
    }


def _inside(path: Path, root: Path) -> str:
    """A path as decisions name it: of a manifest, photos may lie anywhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _text(name: str) -> str:
    return (files("catsdogs.reporting") / name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that no name in it can end the script of."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _policy(style: str, script: str) -> str:
    """A content security policy that lets run what is in the page, and load or send nothing."""
    script_hash, style_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (script, f"\n{style}\n")
    )
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'sha256-{script_hash}'",
            f"style-src 'sha256-{style_hash}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
