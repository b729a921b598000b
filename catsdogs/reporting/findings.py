"""What `catsdogs check` found, as text or JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from catsdogs.checking.findings import KINDS, Finding
from catsdogs.text import printable

_MOST_NAMED = 10
"""Classes whose photos are counted one by one."""


class Found(Protocol):
    """The result of a check."""

    @property
    def folder(self) -> Path: ...
    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]: ...
    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def is_clean(self) -> bool: ...
    @property
    def seconds(self) -> float: ...


def findings_as_text(found: Found) -> Iterator[str]:
    """A table of the photos, a table of the findings, then each finding with its paths."""
    for split, classes in found.counts.items():
        yield f"{split:10}  {sum(classes.values()):7,} photos: {_classes(classes)}"
    by_kind = {kind: list(group) for kind, group in groupby(found.findings, lambda f: f.kind)}
    yield ""
    if not by_kind:
        yield "nothing found"
    for kind, findings in by_kind.items():
        note = "  (a note)" if findings[0].is_note else ""
        yield f"{len(findings):7,}  {KINDS[kind]}{note}"
    for kind, findings in by_kind.items():
        yield ""
        yield f"{KINDS[kind]}:"
        for finding in findings:
            yield f"  {' = '.join(map(_shown, finding.paths))}  ({printable(finding.detail)})"


def _classes(counts: Mapping[str, int]) -> str:
    """How many photos each class has; of many, how many there are and how unlike in size."""
    if len(counts) <= _MOST_NAMED:
        return ", ".join(f"{count:,} {printable(name)}" for name, count in counts.items())
    ends = [pick(counts, key=lambda name: counts[name]) for pick in (min, max)]
    fewest, most = (f"{counts[name]:,} ({printable(name)})" for name in ends)
    if len(set(counts.values())) == 1:
        return f"{len(counts):,} classes of {counts[ends[0]]:,} each"
    return f"{len(counts):,} classes of {fewest} to {most} each"


def _shown(path: Path) -> str:
    return printable(str(path))


def findings_as_json(found: Found) -> str:
    """Everything that was found, as one JSON object."""
    return json.dumps(
        {
            "folder": str(found.folder),
            "is_clean": found.is_clean,
            "num_photos": sum(sum(classes.values()) for classes in found.counts.values()),
            "photos": found.counts,
            "num_findings": _count_kinds(found.findings),
            "findings": [_record(finding) for finding in found.findings],
            "seconds": round(found.seconds, 3),
        },
        indent=1,
    )


def _count_kinds(findings: Iterable[Finding]) -> dict[str, int]:
    return {kind: len(list(group)) for kind, group in groupby(findings, lambda f: f.kind)}


def _record(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "is_note": finding.is_note,
        "detail": finding.detail,
        "paths": [str(path) for path in finding.paths],
    }
