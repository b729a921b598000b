"""Every file below a data folder, or in a manifest, and what its place says, without a look
inside."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from catsdogs.checking.findings import Finding
from catsdogs.config import DataConfig
from catsdogs.data.groups import find_groups
from catsdogs.data.layout import (
    TEST,
    TRAIN,
    VALIDATION,
    Layout,
    class_name,
    find_layout,
    same_but_for_case,
)
from catsdogs.data.listing import (
    counts_as,
    notes_on_case,
    refuse_unknown_labels,
    require_photos,
)
from catsdogs.data.manifest import Manifest, is_manifest, read_manifest
from catsdogs.data.moments import MOMENT
from catsdogs.data.walking import (
    HIDDEN,
    LINK,
    OTHER,
    PHOTO,
    SYSTEM,
    UNREADABLE,
    Found,
    Walker,
    scan,
)
from catsdogs.errors import DataError
from catsdogs.text import counted, some_of

_MAX_IMBALANCE = 3
"""Photos of the largest class to one of the smallest: beyond that, a figure for all classes
together says little about the small one, and catsdogs does not weight classes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a photo lies.

    Attributes:
        path: the file.
        split: `train`, `validation` or `test`; `train` where nothing says it.
        class_name: of its folder, or what `data.classes` makes of that.
        group: what it belongs to by `data.group`; empty: to nothing.
    """

    path: Path
    split: str
    class_name: str
    group: str = ""


@dataclass
class FolderListing:
    """What lies in a data folder.

    Attributes:
        root: the folder; of a manifest, the one that it lies in.
        photos: files that their names call photos, in class folders, by path.
        findings: what the names and places alone tell.
    """

    root: Path
    photos: list[Place] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def counts(self) -> dict[str, dict[str, int]]:
        """Splits to classes to numbers of photos."""
        found: dict[str, dict[str, int]] = {}
        for (split, name), count in sorted(
            Counter((place.split, place.class_name) for place in self.photos).items(),
            key=lambda item: ((TRAIN, VALIDATION, TEST).index(item[0][0]), item[0][1]),
        ):
            found.setdefault(split, {})[name] = count
        return found


def list_data_folder(asked: Path, config: DataConfig | None = None) -> FolderListing:
    """Find all photos of a folder or a manifest as `train` would see them, and what is odd.

    Args:
        asked: a folder, or a manifest.
        config: whose `classes` and `group` count; None: none.

    Raises:
        DataError: there is no such folder, no photo in it, or `train` would not know its splits.
        ConfigError: `data.classes` or `data.group` does not fit the photos.
    """
    config = config or DataConfig()
    require_photos(asked)
    if is_manifest(asked):
        manifest = read_manifest(asked, group_column=config.group)
        listing, root = _of_manifest(manifest), manifest.root
        pattern = "" if manifest.group_column == config.group.lower() else config.group
    else:
        layout = find_layout(asked, config.classes)
        listing, root, pattern = _of_folder(asked, layout), layout.root, config.group
    labels = {place.class_name for place in listing.photos}
    refuse_unknown_labels(config.classes, labels, asked)
    names = {label: counts_as(label, config.classes) for label in labels}
    listing.photos = [
        replace(place, class_name=name)
        for place in sorted(listing.photos, key=lambda place: place.path)
        if (name := names[place.class_name]) is not None
    ]
    if not listing.photos:
        raise DataError(f"{asked} has no photos left: data.classes leaves out all", "data.classes")
    if pattern and pattern != MOMENT:
        notes: list[str] = []
        groups = find_groups(pattern, [place.path for place in listing.photos], root, notes)
        listing.photos = [
            replace(place, group=group) for place, group in zip(listing.photos, groups, strict=True)
        ]
        listing.findings += [Finding("odd_layout", (asked,), note) for note in notes]
    _compare_classes(listing)
    _compare_groups(listing)
    return listing


def _of_manifest(manifest: Manifest) -> FolderListing:
    listing = FolderListing(manifest.root)
    listing.photos = [
        Place(row.path, row.split or TRAIN, row.label, row.group) for row in manifest.rows
    ]
    notes = [*manifest.notes, *notes_on_case(row.label for row in manifest.rows)]
    listing.findings = [Finding("odd_layout", (manifest.path,), note) for note in notes]
    return listing


def _of_folder(asked: Path, layout: Layout) -> FolderListing:
    listing = FolderListing(asked)
    for note in layout.notes:
        listing.findings.append(Finding("odd_layout", (asked,), note))
    named = {folder for folders in layout.splits.values() for folder in folders}
    if TRAIN in layout.splits:
        _look_beside(layout, named, listing)
    else:  # the class folders themselves, and perhaps a folder to test or validate with
        _look_at_split(layout.root, TRAIN, named, listing)
    for split, folders in layout.splits.items():
        for folder in folders.values():
            _look_at_split(folder, split, set(), listing)
        if len(folders) > 1:
            listing.findings.append(
                Finding("layout", tuple(folders), f"both are {split}: keep one of them")
            )
    if not listing.photos:
        raise DataError(
            f"{layout.root} has no class folders with photos: expected one folder per class, "
            f"e.g. {layout.root / 'cats'}"
        )
    return listing


def _look_beside(layout: Layout, named: set[Path], listing: FolderListing) -> None:
    """What lies beside the split folders, where nothing is used."""
    for found in _scan(layout.root, listing):
        path = Path(found.path)
        if path in layout.beside:
            count = sum(f.kind == PHOTO for f in Walker([path]).walk(path))
            kind, detail = "odd_file", "a folder that is no split"
            if count:
                kind, detail = "layout", f"{detail}, with {counted(count, 'photo')}"
            listing.findings.append(Finding(kind, (path,), detail))
        elif path not in named:
            listing.findings.append(Finding("odd_file", (path,), "beside the split folders"))


def _scan(folder: Path, listing: FolderListing) -> list[Found]:
    """What lies in a folder; says why where it cannot be read."""
    try:
        return scan(folder)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        listing.findings.append(Finding("unreadable", (folder,), reason))
        return []


def _look_at_split(
    folder: Path, split: str, other_splits: set[Path], listing: FolderListing
) -> None:
    """List the class folders in a folder."""
    class_folders = []
    for found in _scan(folder, listing):
        path = Path(found.path)
        if path in other_splits:
            continue
        if found.kind != PHOTO:
            listing.findings.append(_left_out(found))
        elif found.is_folder:
            class_folders.append(path)
        else:
            listing.findings.append(Finding("layout", (path,), "a photo in no class folder"))
    walker = Walker(class_folders)
    names: dict[str, Path] = {}
    for place in class_folders:
        count = len(listing.photos)
        name = class_name(place)
        for found in walker.walk(place):
            if found.kind == PHOTO:
                listing.photos.append(Place(Path(found.path), split, name))
            else:
                listing.findings.append(_left_out(found))
        if len(listing.photos) == count:
            listing.findings.append(Finding("layout", (place,), "holds no photos"))
        elif twin := names.get(name):
            listing.findings.append(
                Finding("layout", (twin, place), "the same name, but for its Unicode form")
            )
        names.setdefault(name, place)
    for group in same_but_for_case(names):
        first, *others = (names[name] for name in group)
        for other in others:
            detail = f"another class than {first}, named the same but for upper and lower case"
            listing.findings.append(Finding("odd_layout", (other,), detail))


def _left_out(found: Found) -> Finding:
    if found.kind == UNREADABLE:
        return Finding("unreadable", (Path(found.path),), found.detail.lower())
    detail = {
        HIDDEN: "a hidden folder" if found.is_folder else "hidden",
        SYSTEM: "a folder that a system made",
        LINK: found.detail,
        OTHER: "no photo by its name",
    }[found.kind]
    return Finding("odd_file", (Path(found.path),), detail)


def _compare_classes(listing: FolderListing) -> None:
    """Classes that some splits lack, and classes that are much smaller than others."""
    counts = listing.counts()
    names = {name for classes in counts.values() for name in classes}
    if len(names) == 1:
        listing.findings.append(
            Finding("layout", (listing.root,), f"only the class {min(names)}: two are needed")
        )
    if TRAIN not in counts:
        listing.findings.append(Finding("layout", (listing.root,), "no photos to train on"))
    for split, classes in counts.items():
        missing = sorted(names - set(classes))
        if missing and split != TEST:
            detail = f"no {split} photos of {some_of(missing)}"
            listing.findings.append(Finding("layout", (listing.root,), detail))
        largest, smallest = (pick(classes, key=lambda n: classes[n]) for pick in (max, min))
        if classes[largest] > _MAX_IMBALANCE * classes[smallest]:
            detail = (
                f"{split}: {classes[largest]:,} of {largest}, {classes[smallest]:,} of {smallest}"
            )
            listing.findings.append(Finding("imbalance", (listing.root,), detail))


def _compare_groups(listing: FolderListing) -> None:
    """Groups that have photos in several splits."""
    members: dict[str, list[Place]] = {}
    for place in listing.photos:
        if place.group:
            members.setdefault(place.group, []).append(place)
    for group, places in members.items():
        splits = sorted({place.split for place in places})
        if len(splits) > 1:
            paths = tuple(place.path for place in places)
            detail = f"{group}: {' and '.join(splits)}"
            listing.findings.append(Finding("split_group", paths, detail))
