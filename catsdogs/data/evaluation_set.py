"""Class folders to photos whose class is known, for a model that has its classes already."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catsdogs.config import DataConfig
from catsdogs.data.dataset import in_names_of, list_classes, load_dataset
from catsdogs.data.layout import TEST, TRAIN, VALIDATION, find_layout, holds_classes, require_folder
from catsdogs.errors import DataError
from catsdogs.files import is_dir, real_path
from catsdogs.text import counted

_CHOSE_THE_EPOCH = "chose the epoch that was kept: the figures are slightly flattering"


@dataclass
class LabelledPhotos:
    """Photos to hold a model against.

    Attributes:
        folder: where they lie.
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
) -> LabelledPhotos:
    """Find the photos to evaluate a model on: those of `test`, else of `validation`.

    A folder that holds no splits is taken as it is. Where the model was trained on that very
    folder, only the photos that its training held back for validation are taken.

    Args:
        root: holds `test/` or `validation/` (or `val/`, `valid/`), or a folder per class.
        class_names: of the model; folders are matched to them by name.
        trained_on: where the photos of each model lay that is evaluated, and how they were
            split, as far as that is known.
        known_whole: folders of which a model was trained on all photos but those of `test`.

    Raises:
        DataError: no folder, no photos, or a folder that is no class of the model.
    """
    require_folder(root, "data")
    layout = find_layout(root, class_names)
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
    classes = in_names_of(class_names, list_classes(folder, found.notes, tests))
    strangers = sorted(set(classes) - set(class_names))
    if strangers:
        raise DataError(
            f"{folder} has folders of {', '.join(sorted(classes))}, the model knows "
            f"{', '.join(class_names)}: rename or remove {', '.join(strangers)}"
        )
    missing = [name for name in class_names if name not in classes]
    if missing:
        found.warnings.append(f"{folder} has no photos of {', '.join(missing)}")
    for name, paths in classes.items():
        found.paths += paths
        found.labels += [name] * len(paths)
    found.notes.append(f"evaluating {counted(len(found.paths), 'photo')} of {folder}")
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
