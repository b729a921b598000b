"""Photos whose class is known, of folders or a manifest, for a model that has its classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catsdogs.config import DataConfig
from catsdogs.data.class_folders import in_names_of, list_classes
from catsdogs.data.dataset import load_dataset
from catsdogs.data.layout import TEST, TRAIN, VALIDATION, find_layout, holds_classes
from catsdogs.data.listing import NOTHING, ClassMapping, by_label, map_classes, require_photos
from catsdogs.data.manifest import is_manifest, read_manifest
from catsdogs.errors import DataError
from catsdogs.files import is_dir, real_path
from catsdogs.text import counted

_CHOSE_THE_EPOCH = "chose the epoch that was kept: the figures are slightly flattering"


@dataclass
class LabelledPhotos:
    """Photos to hold a model against.

    Attributes:
        folder: where they lie; a manifest, where that lists them.
        paths: of the photos, in the order of classes and paths; one or more.
        labels: the class of each, by name.
        notes: what is evaluated, and what was left out, a sentence each.
        warnings: what makes the figures worth less, a sentence each.
    """

    folder: Path
    paths: list[Path]
    labels: list[str]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def find_labelled_photos(
    root: Path,
    class_names: Sequence[str],
    trained_on: Sequence[DataConfig] = (),
    known_whole: Sequence[Path] = (),
    mapping: ClassMapping = NOTHING,
) -> LabelledPhotos:
    """Find the photos to evaluate a model on: those of `test`, else of `validation`.

    A folder that holds no splits is taken as it is. Where the model was trained on that very
    folder, only the photos that its training held back for validation are taken.

    Args:
        root: holds `test/` or `validation/` (or `val/`, `valid/`), or a folder per class; or a
            manifest, whose column `split` is as good.
        class_names: of the model; folders are matched to them by name.
        trained_on: where the photos of each model lay that is evaluated, and how they were
            split, as far as that is known.
        known_whole: folders of which a model was trained on all photos but those of `test`.
        mapping: `data.classes` of the trainings: what folders are called to what they count as.

    Raises:
        DataError: no folder, no photos, wrong rows, or a folder that is no class of the model.
    """
    require_photos(root, "data")
    if is_manifest(root):
        return _of_manifest(root, class_names, trained_on, known_whole, mapping)
    layout = find_layout(root, (*class_names, *mapping))
    folders = layout.folders()
    notes = list(layout.notes)
    split = next((s for s in (TEST, VALIDATION) if s in folders), None)
    if split == TEST and not holds_classes(folders[TEST]):
        split = VALIDATION if VALIDATION in folders else None
        taken = folders[split] if split else f"what a training on {layout.root} holds back"
        notes.append(f"{folders.pop(TEST)} has no class folders with photos: taking {taken}")
    if split is None:
        for data in trained_on:
            if _same(root, Path(data.dir)):
                return _held_back(root, class_names, data, notes)
    if split is None and folders:
        raise DataError(
            f"{layout.root} has {layout.named(TRAIN).name}/ but neither test/ nor validation/: "
            "give a folder with one folder per class in it"
        )
    folder = folders[split] if split else layout.root
    found = LabelledPhotos(folder, [], [], notes)
    tests = () if split else tuple(layout.splits.get(TEST, ()))
    listed = list_classes(folder, found.notes, tests)
    classes = in_names_of(class_names, map_classes(listed, mapping, found.notes, folder))
    _take(found, classes, class_names, "folders")
    known = [_folders_of(Path(data.dir), class_names) for data in trained_on]
    trained_with = [splits.get(TRAIN) for splits in known]
    for whole in known_whole:
        splits = _folders_of(whole, class_names)
        trained_with += [whole, splits.get(TRAIN), splits.get(VALIDATION)]
    if any(_same(folder, one) for one in trained_with):
        found.warnings.append(
            f"{folder} is what the model was trained on: the figures say nothing about new photos"
        )
    elif any(_same(folder, splits.get(VALIDATION)) for splits in known):
        found.notes.append(f"they {_CHOSE_THE_EPOCH}")
    return found


def _take(
    found: LabelledPhotos, classes: Mapping[str, list[Path]], class_names: Sequence[str], what: str
) -> None:
    """Let photos be evaluated, by class.

    Raises:
        DataError: the model does not know a class, or no photo is left.
    """
    place = found.folder
    strangers = sorted(set(classes) - set(class_names))
    if strangers:
        raise DataError(
            f"{place} has {what} of {', '.join(sorted(classes))}, the model knows "
            f"{', '.join(class_names)}: rename or remove {', '.join(strangers)}"
        )
    if not classes:
        raise DataError(f"{place} has no photos of {', '.join(class_names)}: give others")
    missing = [name for name in class_names if name not in classes]
    if missing:
        found.warnings.append(f"{place} has no photos of {', '.join(missing)}")
    for name, paths in classes.items():
        found.paths += paths
        found.labels += [name] * len(paths)
    found.notes.append(f"evaluating {counted(len(found.paths), 'photo')} of {place}")


def _of_manifest(
    path: Path,
    class_names: Sequence[str],
    trained_on: Sequence[DataConfig],
    known_whole: Sequence[Path],
    mapping: ClassMapping,
) -> LabelledPhotos:
    """As `find_labelled_photos`, for a manifest."""
    manifest = read_manifest(path)
    notes = list(manifest.notes)
    said = {row.split for row in manifest.rows}
    split = next((split for split in (TEST, VALIDATION, "") if split in said), None)
    if split is None:
        raise DataError(
            f"{path} lists photos to train on alone: say {TEST} or {VALIDATION} in its column split"
        )
    is_trained_on = any(_same(path, Path(data.dir)) for data in trained_on)
    if split == "":
        for data in trained_on:
            if _same(path, Path(data.dir)):
                return _held_back(path, class_names, data, notes)
    found = LabelledPhotos(path, [], [], notes)
    rows = by_label(row for row in manifest.rows if row.split == split)
    mapped = map_classes(rows, mapping, found.notes, path)
    classes = {name: [row.path for row in of_class] for name, of_class in mapped.items()}
    _take(found, in_names_of(class_names, classes), class_names, "photos")
    if split:
        found.notes.append(f"they are its {split} photos")
    if split != TEST and any(_same(path, whole) for whole in known_whole):
        found.warnings.append(
            f"{path} is what the model was trained on: the figures say nothing about new photos"
        )
    elif split == VALIDATION and is_trained_on:
        found.notes.append(f"they {_CHOSE_THE_EPOCH}")
    return found


def _held_back(
    root: Path, class_names: Sequence[str], trained_on: DataConfig, notes: list[str]
) -> LabelledPhotos:
    """The photos of a folder without splits that a training on it validates with."""
    everything = trained_on.model_copy(update={"dir": str(root), "subsample": 1})
    dataset = load_dataset(everything, 0, class_names)
    samples = dataset.splits[VALIDATION]
    found = LabelledPhotos(
        root,
        [sample.path for sample in samples],
        [dataset.class_names[sample.label] for sample in samples],
    )
    found.warnings = [f"{path} is left out: {reason}" for path, reason in dataset.unreadable]
    found.notes = [
        *notes,
        f"evaluating {counted(len(found.paths), 'photo')} of {root}, "
        "those that training on it holds back",
        f"they {_CHOSE_THE_EPOCH}",
    ]
    return found


def _folders_of(root: Path, class_names: Sequence[str]) -> dict[str, Path]:
    """The splits of a folder that a model was trained on; none where it is gone or has changed."""
    try:
        return find_layout(root, class_names).folders() if is_dir(root) else {}
    except DataError:
        return {}


def _same(folder: Path, other: Path | None) -> bool:
    return other is not None and real_path(folder) == real_path(other)
