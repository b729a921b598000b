"""`catsdogs manifest`: class folders as a CSV that lists their photos."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from catsdogs.checking.folder_listing import list_data_folder
from catsdogs.data.layout import find_layout
from catsdogs.data.manifest import SUFFIX, ManifestRow, is_manifest, manifest_lines, read_manifest
from catsdogs.data.walking import UNREADABLE
from catsdogs.errors import DataError
from catsdogs.files import check_writable, exists, replacing

_START = b"path,label"
_MOST_HEADER_BYTES = 2**12


@dataclass(frozen=True)
class ManifestResult:
    """What lists the photos.

    Attributes:
        lines: of the CSV, without their line breaks.
        num_photos: how many it lists.
        output: the file that was written; None: none.
    """

    lines: list[str]
    num_photos: int
    output: Path | None


def manifest(root: Path, output: Path | None) -> ManifestResult:
    """List the photos of a data folder, with class and split, as `train` would see them.

    Args:
        root: a folder as `train` takes it, or a manifest, which is written anew.
        output: the CSV, which the paths in it are relative to; None: the current folder.

    Raises:
        DataError: there is no such folder, no photo in it, or the output cannot be written.
    """
    rows = list(_rows(root))
    base = Path() if output is None else output.parent
    lines = manifest_lines(rows, base)
    if output is not None:
        check_writable(output, ending=SUFFIX, mark=_START)
        _refuse_to_lose_columns(output, lines[0])
        with (
            replacing(output) as part,
            part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
        ):
            file.writelines(f"{line}\n" for line in lines)
    return ManifestResult(lines, len(rows), output)


def _refuse_to_lose_columns(output: Path, header: str) -> None:
    """Refuse to replace a manifest to which somebody has added groups, weights or splits."""
    if not exists(output):
        return
    with output.open("rb") as file:
        # spreadsheets put a mark of their encoding before it
        old = file.readline(_MOST_HEADER_BYTES).decode("utf-8-sig", "replace").strip()
    lost = sorted(set(next(csv.reader([old]), ())) - set(header.split(",")) - {""})
    if lost:
        raise DataError(
            f"{output} has a column {lost[0]}, which would be lost: choose another place", "output"
        )


def _rows(root: Path) -> Iterable[ManifestRow]:
    if is_manifest(root):
        return read_manifest(root).rows
    listing = list_data_folder(root)
    for finding in listing.findings:
        if finding.kind == UNREADABLE:  # whose photos would be missed
            raise DataError(f"{finding.paths[0]} cannot be read: {finding.detail}")
    has_splits = bool(find_layout(root).splits)
    return (
        ManifestRow(place.path, place.class_name, place.split if has_splits else "")
        for place in listing.photos
    )
