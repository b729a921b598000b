"""`catsdogs check`: what in a folder of photos would spoil a training."""

import time
from dataclasses import dataclass
from pathlib import Path

from catsdogs.checking.copies import find_copies, find_split_moments
from catsdogs.checking.findings import KINDS, Finding
from catsdogs.checking.folder_listing import list_data_folder
from catsdogs.checking.inspection import inspect_photos
from catsdogs.checking.quarantine import Move, Request, quarantine, restore
from catsdogs.config import DataConfig
from catsdogs.console import Console
from catsdogs.data.batches import num_decode_threads
from catsdogs.data.manifest import data_root

_QUARANTINED = ("unreadable", "too_large", "label_conflict")
"""What can teach nothing, or teaches both sides of a contradiction; not even a person can say
which copy is right without looking."""


@dataclass(frozen=True)
class CheckResult:
    """What was found in a folder.

    Attributes:
        folder: which one, or the CSV.
        counts: splits to classes to numbers of photos, readable or not.
        findings: the most serious kinds first, then by path.
        moved: what went into quarantine; None where none was asked for.
        unmoved: what could not be moved, with the reason.
        seconds: wall time of the check.
    """

    folder: Path
    counts: dict[str, dict[str, int]]
    findings: list[Finding]
    moved: list[Move] | None
    unmoved: list[tuple[Path, str]]
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found but notes."""
        return all(finding.is_note for finding in self.findings)

    @property
    def num_to_move(self) -> int:
        """How many findings a quarantine takes the photos of."""
        return sum(finding.kind in _QUARANTINED for finding in self.findings)


@dataclass(frozen=True)
class RestoreResult:
    """What came back from quarantine, and what stays there, with the reason."""

    undone: list[Move]
    left: list[tuple[Path, str]]


def check(
    folder: Path,
    fast: bool,
    quarantine_dir: Path | None,
    console: Console,
    config: DataConfig | None = None,
) -> CheckResult:
    """Look at every photo of a folder, at their copies among each other and at their places.

    Args:
        folder: as `train` takes it, or a manifest.
        fast: headers and contents alone: no decoding, no near copies.
        quarantine_dir: where unusable and contradictory photos are moved; None moves none.
        console: where progress is shown.
        config: whose `classes` and `group` count; None: none.

    Raises:
        ConfigError: `data.classes` or `data.group` does not fit the photos.
        DataError: there is no such folder, no photo in it, or the quarantine cannot be used.
    """
    start = time.perf_counter()
    listing = list_data_folder(folder, config)
    paths = [place.path for place in listing.photos]
    with console.task("checking photos", len(paths)) as task:
        inspections = list(inspect_photos(paths, fast, num_decode_threads(0), task.advance))
    findings = [
        *listing.findings,
        *(
            Finding(kind, (inspection.path,), detail)
            for inspection in inspections
            for kind, detail in inspection.faults
        ),
        *find_copies(listing.photos, inspections),
        *find_split_moments(listing.photos, inspections),
    ]
    findings.sort(key=lambda finding: (list(KINDS).index(finding.kind), finding.paths))
    moved: list[Move] | None = None
    unmoved: list[tuple[Path, str]] = []
    if quarantine_dir is not None:
        root = data_root(folder)
        photos = set(paths)
        reasons = {
            path: f"{KINDS[finding.kind]}: {finding.detail}"
            for finding in reversed(findings)
            if finding.kind in _QUARANTINED
            for path in finding.paths
            if path in photos
        }
        outside = [path for path in reasons if not _lies_below(path, root)]
        unmoved = [(path, f"it does not lie in {root}, with the manifest") for path in outside]
        wanted = [Request(path, reasons[path]) for path in sorted(set(reasons) - set(outside))]
        moved, failed = quarantine(wanted, root, quarantine_dir)
        unmoved += failed
    seconds = time.perf_counter() - start
    return CheckResult(folder, listing.counts(), findings, moved, unmoved, seconds)


def _lies_below(path: Path, root: Path) -> bool:
    """Whether a path leads from a folder downward alone; one in a manifest may lead anywhere."""
    return path.is_relative_to(root) and ".." not in path.relative_to(root).parts


def undo(folder: Path, root: Path | None) -> RestoreResult:
    """Bring back what a quarantine holds.

    Args:
        folder: of the quarantine.
        root: the data folder or manifest that was checked; None: what knows of the quarantine.

    Raises:
        DataError: there is no manifest in the folder, it is damaged, or of another data folder.
    """
    return RestoreResult(*restore(folder, root and data_root(root)))
