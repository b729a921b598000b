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
from catsdogs.text import counted, some_of

_CHOSE_THE_EPOCH = "these photos chose the epoch that was kept: the figures are slightly flattering"


@dataclass(frozen=True)
class TrainedOn:
    """What photos were to a model.

    Attributes:
        data: where they lay, and how they were split.
        whole: in the end all were trained on, but those of `test`.
        chose_epoch: those for validation chose the epoch that was kept; a head that is solved has
            none.
    """

    data: DataConfig
    whole: bool = False
    chose_epoch: bool = True

    @property
    def place(self) -> Path:
        """The folder, or the manifest."""
        return Path(self.data.dir)


@dataclass
class LabelledPhotos:
    """Photos to hold a model against.

    Attributes:
        folder: where they lie; a manifest, where that lists them.
        paths: of the photos, in the order of classes and paths; one or more.
        labels: the class of each, by name.
        notes: what is evaluated, and what was left out, a sentence each.
        warnings: what makes the figures worth less, a sentence each.
        trained_on: a model that they are to judge was trained on them.
    """

    folder: Path
    paths: list[Path]
    labels: list[str]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    trained_on: bool = False

    def warn_of_training(self) -> None:
        """Say that the model has seen them."""
        self.trained_on = True
        self.warnings.append(
            f"the model was trained on {self.folder}: the figures say nothing about new photos"
        )


def find_labelled_photos(
    root: Path,
    class_names: Sequence[str],
    trained_on: Sequence[TrainedOn] = (),
    mapping: ClassMapping = NOTHING,
) -> LabelledPhotos:
    """Find the photos to evaluate a model on: those of `test`, else of `validation`.

    A folder that holds no splits is taken as it is. Where the model was trained on that very
    folder, only the photos that its training held back for validation are taken.

    Args:
        root: holds `test/` or `validation/` (or `val/`, `valid/`), or a folder per class; or a
            manifest, whose column `split` is as good.
        class_names: of the model; folders are matched to them by name.
        trained_on: what is known of the photos of each model that is evaluated.
        mapping: `data.classes` of the trainings: what folders are called to what they count as.

    Raises:
        DataError: no folder, no photos, wrong rows, or a folder that is no class of the model.
    """
    require_photos(root, "data")
    if is_manifest(root):
        return _of_manifest(root, class_names, trained_on, mapping)
    layout = find_layout(root, (*class_names, *mapping))
    folders = layout.folders()
    notes = list(layout.notes)
    split = next((s for s in (TEST, VALIDATION) if s in folders), None)
    if split == TEST and not holds_classes(folders[TEST]):
        split = VALIDATION if VALIDATION in folders else None
        taken = folders[split] if split else f"what a training on {layout.root} holds back"
        notes.append(f"{folders.pop(TEST)} has no class folders with photos: taking {taken}")
    if split is None:
        split_by = [one for one in trained_on if not one.whole and _same(root, one.place)]
        if split_by:
            return _held_back(root, class_names, split_by, notes)
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
    flattering = False
    for known in trained_on:
        splits = _folders_of(known.place, class_names)
        trained = [splits.get(TRAIN)]
        if known.whole:
            trained += [known.place, splits.get(VALIDATION)]
        if any(_same(folder, one) for one in trained):
            found.warn_of_training()
            return found
        flattering |= known.chose_epoch and _same(folder, splits.get(VALIDATION))
    if flattering:
        found.notes.append(_CHOSE_THE_EPOCH)
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
            f"{place} has {what} of {some_of(sorted(classes))}, the model knows "
            f"{some_of(class_names)}: rename or remove {some_of(strangers)}"
        )
    if not classes:
        raise DataError(f"{place} has no photos of {some_of(class_names)}: give others")
    missing = [name for name in class_names if name not in classes]
    if missing:
        found.warnings.append(f"{place} has no photos of {some_of(missing)}")
    for name, paths in classes.items():
        found.paths += paths
        found.labels += [name] * len(paths)


def _of_manifest(
    path: Path,
    class_names: Sequence[str],
    trained_on: Sequence[TrainedOn],
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
    known_here = [known for known in trained_on if _same(path, known.place)]
    split_by = [known for known in known_here if not known.whole]
    if split == "" and split_by:
        return _held_back(path, class_names, split_by, notes)
    found = LabelledPhotos(path, [], [], notes)
    rows = by_label(row for row in manifest.rows if row.split == split)
    mapped = map_classes(rows, mapping, found.notes, path)
    classes = {name: [row.path for row in of_class] for name, of_class in mapped.items()}
    _take(found, in_names_of(class_names, classes), class_names, "photos")
    if split:
        found.notes.append(f"taking the {split} photos of {path}")
    if split != TEST and any(known.whole for known in known_here):
        found.warn_of_training()
    elif split == VALIDATION and any(known.chose_epoch for known in known_here):
        found.notes.append(_CHOSE_THE_EPOCH)
    return found


def _held_back(
    root: Path, class_names: Sequence[str], split_by: Sequence[TrainedOn], notes: list[str]
) -> LabelledPhotos:
    """The photos of a folder without splits that a training on it validates with."""
    everything = split_by[0].data.model_copy(update={"dir": str(root), "subsample": 1})
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
        f"taking the {counted(len(found.paths), 'photo')} of {root} that a training on it holds "
        "back",
        *([_CHOSE_THE_EPOCH] if any(known.chose_epoch for known in split_by) else []),
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
