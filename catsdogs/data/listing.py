"""The photos of a data folder or a manifest by split, with class and group, before any is read."""

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from catsdogs.config import DataConfig
from catsdogs.data.class_folders import in_names_of, list_classes, training_folders
from catsdogs.data.groups import find_groups
from catsdogs.data.layout import (
    TEST,
    TRAIN,
    VALIDATION,
    find_layout,
    require_folder,
    same_but_for_case,
)
from catsdogs.data.manifest import Manifest, ManifestRow, is_manifest, read_manifest
from catsdogs.data.moments import MOMENT
from catsdogs.errors import ConfigError, DataError
from catsdogs.files import is_file
from catsdogs.text import counted

ClassMapping = Mapping[str, str | bool]
"""`data.classes`: what photos are labelled to what they count as; False leaves them out."""

_NUM_NAMED = 5
"""So many labels that count as one class are named in a note."""

NOTHING: ClassMapping = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ListedPhoto:
    """A photo before it is read.

    Attributes:
        path: where it lies.
        class_name: what it counts as.
        group: what it belongs to; empty: to nothing.
        weight: what it counts for in the loss.
    """

    path: Path
    class_name: str
    group: str = ""
    weight: float = 1.0


@dataclass
class Listing:
    """What a data folder or a manifest holds.

    Attributes:
        root: the folder that the paths' places count from.
        places: splits to what holds them, for messages: folders, or the manifest.
        splits: splits to photos, by class and path.
        labels: all that photos are labelled, before `data.classes`.
        notes: what was left out or decided, a sentence each.
    """

    root: Path
    places: dict[str, Path]
    splits: dict[str, list[ListedPhoto]]
    labels: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def require_photos(root: Path, key: str | None = None) -> None:
    """Make sure that there is a folder to look for photos in, or a manifest.

    Raises:
        DataError: there is neither; `key` as for `require_folder`.
    """
    if not (is_manifest(root) and is_file(root)):
        require_folder(root, key)


def list_photos(
    config: DataConfig, class_names: Sequence[str] = (), known: ClassMapping = NOTHING
) -> Listing:
    """Find the photos to train on and to validate with; all in `train` where they are not split.

    Args:
        config: the folder or manifest, classes, groups.
        class_names: of an existing model, as far as there are.
        known: `data.classes` of its training, which counts where `config` says nothing else.

    Raises:
        DataError: there are no photos, or wrong rows.
        ConfigError: `data.classes` names something that no photo is labelled, or `data.group`
            says nothing about them.
    """
    root = Path(config.dir)
    mapping = {**known, **config.classes}
    require_photos(root, "data.dir")
    if is_manifest(root):
        manifest = read_manifest(root, group_column=config.group)
        listing = _of_manifest(manifest, mapping)
        pattern = "" if manifest.group_column == config.group.lower() else config.group
    else:
        listing, pattern = _of_folder(root, class_names, mapping), config.group
    refuse_unknown_labels(config.classes, listing.labels, root)
    if pattern:
        _find_groups(listing, pattern)
    return listing


def _find_groups(listing: Listing, pattern: str) -> None:
    paths = [photo.path for of_split in listing.splits.values() for photo in of_split]
    if pattern == MOMENT:  # whoever reads the photos finds out
        groups = iter([""] * len(paths))
    else:
        groups = iter(find_groups(pattern, paths, listing.root, listing.notes))
    for split, of_split in listing.splits.items():
        listing.splits[split] = [replace(photo, group=next(groups)) for photo in of_split]


def _of_folder(root: Path, class_names: Sequence[str], mapping: ClassMapping) -> Listing:
    layout = find_layout(root, (*class_names, *mapping))
    notes = list(layout.notes)
    folders = training_folders(layout, notes)
    tests = () if TRAIN in layout.splits else tuple(layout.splits.get(TEST, ()))
    listing = Listing(layout.root, dict(folders), {}, notes=notes)
    for split, folder in folders.items():
        classes = list_classes(folder, notes, tests)
        listing.labels |= set(classes)
        mapped = in_names_of(class_names, map_classes(classes, mapping, notes, folder))
        listing.splits[split] = [
            ListedPhoto(path, name) for name, paths in mapped.items() for path in paths
        ]
    return listing


def _of_manifest(manifest: Manifest, mapping: ClassMapping) -> Listing:
    rows = [row for row in manifest.rows if row.split != TEST]
    if not rows:
        raise DataError(f"{manifest.path} lists photos of {TEST} alone: add some to train on")
    if {row.split for row in rows} == {VALIDATION}:
        raise DataError(f"{manifest.path} lists no photos of {TRAIN}: add some")
    listing = Listing(manifest.root, {}, {}, notes=list(manifest.notes))
    if left := len(manifest.rows) - len(rows):
        listing.notes.append(f"{manifest.path}: {counted(left, 'photo')} of {TEST} left out")
    listing.notes += notes_on_case(row.label for row in rows)
    for split in (TRAIN, VALIDATION):
        of_split = [row for row in rows if (row.split or TRAIN) == split]
        if of_split:
            listing.places[split] = manifest.path
            mapped = map_classes(by_label(of_split), mapping, listing.notes, manifest.path)
            listing.splits[split] = [
                ListedPhoto(row.path, name, row.group, row.weight)
                for name, rows_of_class in mapped.items()
                for row in rows_of_class
            ]
    listing.labels = {row.label for row in rows}
    return listing


def by_label(rows: Iterable[ManifestRow]) -> dict[str, list[ManifestRow]]:
    """Labels, sorted, to rows, in the order of the paths."""
    found: dict[str, list[ManifestRow]] = {}
    for row in sorted(rows, key=lambda row: (row.label, row.path)):
        found.setdefault(row.label, []).append(row)
    return found


def notes_on_case(labels: Iterable[str]) -> list[str]:
    """Say so where labels differ in upper and lower case alone."""
    return [
        f"{' and '.join(names)} are different classes, named the same but for upper and lower case"
        for names in same_but_for_case(sorted(set(labels)))
    ]


Photo = TypeVar("Photo", Path, ManifestRow)


def map_classes(
    classes: dict[str, list[Photo]], mapping: ClassMapping, notes: list[str], place: Path
) -> dict[str, list[Photo]]:
    """What photos count as, by what they are labelled: renamed, put together, left out.

    Args:
        classes: labels to photos.
        mapping: `data.classes`.
        notes: is told what became of them.
        place: where they lie, for the notes.
    """
    mapped: dict[str, list[Photo]] = {}
    sources: dict[str, list[str]] = {}
    for label, photos in classes.items():
        name = counts_as(label, mapping)
        if name is None:
            notes.append(f"{place}: {counted(len(photos), 'photo')} of {label} left out, as asked")
            continue
        mapped.setdefault(name, []).extend(photos)
        sources.setdefault(name, []).append(f"{label} ({len(photos):,})")
    for class_name, labels in sources.items():
        if len(labels) > 1:
            mapped[class_name].sort(key=_path_of)
            named = labels[:_NUM_NAMED]
            if len(labels) > _NUM_NAMED:
                named.append(f"{len(labels) - _NUM_NAMED:,} more")
            notes.append(f"{place}: {class_name} is {' and '.join(named)}")
    return dict(sorted(mapped.items()))


def counts_as(label: str, mapping: ClassMapping) -> str | None:
    """The class of photos that are labelled so; None where they are left out."""
    name = {_key(asked): name for asked, name in mapping.items()}.get(_key(label), label)
    return None if isinstance(name, bool) else _key(name)


def _path_of(photo: Path | ManifestRow) -> Path:
    return photo if isinstance(photo, Path) else photo.path


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def refuse_unknown_labels(mapping: ClassMapping, labels: set[str], place: Path) -> None:
    """Refuse a mapping of what is not there: it is misspelled, and nothing would happen.

    Raises:
        ConfigError: a key of `data.classes` is no label.
    """
    known = {_key(label) for label in labels}
    for label in mapping:
        if _key(label) not in known:
            near = difflib.get_close_matches(_key(label), known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"It has {', '.join(sorted(known))}"
            raise ConfigError(f"data.classes names {label}, which {place} has not. {hint}")
