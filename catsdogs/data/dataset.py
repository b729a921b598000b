"""Class folders to samples: layouts, class names, splits, subsampling, fingerprints."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from catsdogs.config import DataConfig
from catsdogs.data.content_split import held_back
from catsdogs.data.contents import new_hash, open_file
from catsdogs.data.layout import (
    TEST,
    TRAIN,
    VALIDATION,
    Layout,
    class_name,
    find_layout,
    require_folder,
    same_but_for_case,
)
from catsdogs.data.walking import PHOTO, Tally, Walker, photos_below, scan, visible_folders
from catsdogs.errors import DataError
from catsdogs.text import counted


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled photo.

    Attributes:
        path: where it lies.
        label: index into `Dataset.class_names`.
        content_hash: 16 bytes that change with any byte of the file, and with nothing else.
    """

    path: Path
    label: int
    content_hash: bytes = b""


@dataclass
class Dataset:
    """The photos of a run.

    Attributes:
        class_names: in the order of the labels.
        splits: `train` and `validation` to samples, in the order of classes and paths.
        notes: what was left out or decided, a sentence each.
        warnings: what makes the result worth less, a sentence each.
        unreadable: files that could not be read, with the reason.
    """

    class_names: tuple[str, ...]
    splits: dict[str, list[Sample]]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)

    def count(self, split: str) -> int:
        """Number of photos in a split; 0 where the split does not exist."""
        return len(self.splits.get(split, ()))

    def class_counts(self, split: str) -> dict[str, int]:
        """Class names to numbers of photos in a split."""
        counts = Counter(sample.label for sample in self.splits[split])
        return {name: counts[label] for label, name in enumerate(self.class_names)}

    def in_one(self) -> None:
        """Let all photos be trained on, and all be validated with: for cross-validation."""
        everything = [sample for samples in self.splits.values() for sample in samples]
        self.splits = {TRAIN: everything, VALIDATION: list(everything)}

    def fingerprint(self) -> str:
        """A SHA-256 (hex) of splits, class names and contents; file names do not matter."""
        lines = sorted(
            f"{split}/{self.class_names[sample.label]}/{sample.content_hash.hex()}"
            for split, samples in self.splits.items()
            for sample in samples
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def order_fingerprint(self) -> str:
        """A SHA-256 (hex) that changes with the order of the photos as well."""
        lines = [
            f"{split}/{self.class_names[sample.label]}/{sample.content_hash.hex()}"
            for split in sorted(self.splits)
            for sample in self.splits[split]
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


Advance = Callable[[int], None]


def load_dataset(
    config: DataConfig,
    seed: int,
    class_names: Sequence[str] | None = None,
    on_hashed: Advance = lambda _: None,
) -> Dataset:
    """Find the photos of `train` and `validation` and read their content hashes.

    Either the folder holds `train/` and `validation/` (or other names, see `find_layout`) with
    a folder per class in each, or it holds the class folders themselves. In the second case, and
    where there is no validation folder, a photo's content decides its split: renaming photos
    moves none, adding some moves few others or none (see `held_back`), and copies always fall
    into the same split.

    Args:
        config: folder, fraction for validation, subsampling.
        seed: of the subsampling.
        class_names: the classes of an existing model, in its order; None takes the
            folders' names in alphabetical order.
        on_hashed: called with the number of photos read since the last call.

    Raises:
        DataError: no folder, no class folders, fewer than two classes, a class without
            photos to train on, or folders that do not match `class_names`.
    """
    require_folder(Path(config.dir), "data.dir")
    layout = find_layout(Path(config.dir), class_names or ())
    root, notes = layout.root, list(layout.notes)
    folders = _training_folders(layout, notes)
    tests = () if TRAIN in layout.splits else tuple(layout.splits.get(TEST, ()))
    listed = {
        split: in_names_of(class_names or (), list_classes(folder, notes, tests))
        for split, folder in folders.items()
    }
    names = _class_names(listed, folders, class_names, notes)
    splits = {
        split: [Sample(path, names.index(name)) for name in names for path in classes.get(name, ())]
        for split, classes in listed.items()
    }
    unreadable: list[tuple[Path, str]] = []
    if VALIDATION in splits:
        splits = {s: _subsample(v, config, seed, root, names, s, notes) for s, v in splits.items()}
        splits = {s: _hash_contents(v, unreadable, on_hashed) for s, v in splits.items()}
    else:
        hashed = _hash_contents(splits[TRAIN], unreadable, on_hashed)
        splits = _split_by_content(hashed, config.validation_fraction, names, notes)
        splits = {s: _subsample(v, config, seed, root, names, s, notes) for s, v in splits.items()}
    dataset = Dataset(names, splits, notes, unreadable=unreadable)
    _check_splits(dataset, root)
    _warn_of_leakage(dataset)
    return dataset


def _training_folders(layout: Layout, notes: list[str]) -> dict[str, Path]:
    """Which folder holds which split; `train` alone where the photos are not split."""
    found = layout.folders()
    if TRAIN in found:
        _note_beside(layout, notes)
        return {split: found[split] for split in (TRAIN, VALIDATION) if split in found}
    if VALIDATION in found:
        raise DataError(
            f"{layout.root} has {layout.named(VALIDATION).name}/ but no train/: "
            f"add {layout.root / 'train'}"
        )
    return {TRAIN: layout.root}


def _note_beside(layout: Layout, notes: list[str]) -> None:
    """Say what lies beside the splits and is not used."""
    for folder in layout.beside:
        count = sum(found.kind == PHOTO for found in Walker([folder]).walk(folder))
        if count:
            notes.append(f"{folder} is no split and is left out: {counted(count, 'photo')}")
    loose = sum(found.kind == PHOTO and not found.is_folder for found in scan(layout.root))
    if loose:
        notes.append(f"{layout.root}: left out, beside the splits: {counted(loose, 'photo')}")


def list_classes(
    folder: Path, notes: list[str], splits: Collection[Path] = ()
) -> dict[str, list[Path]]:
    """Class names to photo paths, those of each sorted.

    Args:
        folder: holds a folder per class.
        notes: is told what was left out.
        splits: folders in it that are splits, not classes.

    Raises:
        DataError: it holds no class folders with photos, or two that are named the same.
    """
    classes: dict[str, list[Path]] = {}
    places: dict[str, Path] = {}
    tally = Tally()
    class_folders = [place for place in visible_folders(folder) if place not in splits]
    walker = Walker(class_folders)
    for place in class_folders:
        photos = [Path(path) for path in photos_below(walker, place, tally)]
        if not photos:
            notes.append(f"{place} holds no photos and is left out")
            continue
        if not _is_unicode(place.name):  # no model file could hold it
            raise DataError(f"{place} is not named in UTF-8: rename the folder")
        name = class_name(place)
        if name in classes:
            raise DataError(
                f"{places[name]} and {place} have the same name, {name}, and differ only in how "
                "its letters are put together in Unicode: put their photos into one folder"
            )
        classes[name], places[name] = photos, place
    notes.extend(
        f"{' and '.join(str(places[name]) for name in names)} are different classes, named the "
        "same but for upper and lower case"
        for names in same_but_for_case(classes)
    )
    loose = 0
    for found in scan(folder):
        if found.kind != PHOTO:
            tally.add(found)
        loose += found.kind == PHOTO and not found.is_folder
    if tally:
        notes.append(f"{folder}: left out: {tally}")
    if loose:
        notes.append(f"{folder}: left out, in no class folder: {counted(loose, 'photo')}")
    for place in splits:
        count = sum(found.kind == PHOTO for found in Walker([place]).walk(place))
        if count and place.parent == folder:
            notes.append(
                f"{place} is taken for photos to test on later, not for a class, and is left out: "
                f"{counted(count, 'photo')}"
            )
    if not classes:
        raise DataError(
            f"{folder} has no class folders with photos: expected one folder per class, "
            f"e.g. {folder / 'cats'}"
        )
    return classes


def in_names_of(known: Sequence[str], classes: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """The same classes, each spelled as a model spells it: Unicode has two ways for a letter."""
    spelling = {unicodedata.normalize("NFC", name): name for name in known}
    return {spelling.get(name, name): paths for name, paths in classes.items()}


def _is_unicode(name: str) -> bool:
    """Whether a file name came out of its bytes as text."""
    return name.encode("utf-8", "ignore").decode() == name


def _class_names(
    listed: dict[str, dict[str, list[Path]]],
    folders: dict[str, Path],
    known: Sequence[str] | None,
    notes: list[str],
) -> tuple[str, ...]:
    """The classes, after checking that every split's folders belong to them."""
    names = tuple(known) if known is not None else tuple(sorted(listed[TRAIN]))
    owner = "the model" if known is not None else str(folders[TRAIN])
    for split, classes in listed.items():
        strangers = sorted(set(classes) - set(names))
        if strangers:
            raise DataError(
                f"{folders[split] / strangers[0]} is no class of {owner}, "
                f"which has {', '.join(names)}: rename or remove the folder"
            )
        missing = sorted(set(names) - set(classes))
        if missing and split == TRAIN:
            raise DataError(f"{folders[split]} has no photos of {', '.join(missing)}")
        if missing:
            notes.append(f"{folders[split]} has no photos of {', '.join(missing)}")
    if len(names) < 2:
        raise DataError(
            f"{folders[TRAIN]} has only the class {names[0]}: expected two classes or more"
        )
    return names


def _rank(*parts: object) -> int:
    """A number below 2**64 that looks random and depends on the arguments alone."""
    name = "\0".join(map(str, parts)).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")


def _subsample(
    samples: list[Sample],
    config: DataConfig,
    seed: int,
    root: Path,
    names: Sequence[str],
    split: str,
    notes: list[str],
) -> list[Sample]:
    """A seeded N-th of every class, at least one photo of each."""
    if config.subsample == 1:
        return samples
    kept = []
    for label, name in enumerate(names):
        of_class = [sample for sample in samples if sample.label == label]
        per_class = len(of_class) // config.subsample
        if of_class and not per_class:
            notes.append(
                f"subsample {config.subsample} of {len(of_class)} {split} photos of {name} "
                "would be none: one is kept"
            )
            per_class = 1
        of_class.sort(key=lambda s: _rank(seed, s.path.relative_to(root).as_posix()))
        kept += sorted(of_class[:per_class], key=lambda s: s.path)
    return kept


def _hash_file(path: Path) -> bytes | str:
    """The content hash, or why there is none."""
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, new_hash).digest()
    except DataError as error:
        return str(error)


def _hash_contents(
    samples: Iterable[Sample], unreadable: list[tuple[Path, str]], on_hashed: Advance
) -> list[Sample]:
    """The samples that can be read, with their content hashes."""
    samples = list(samples)
    hashed = []
    with ThreadPoolExecutor(max_workers=8) as pool:  # waits for the disk more than for the cores
        for sample, result in zip(
            samples, pool.map(_hash_file, [s.path for s in samples]), strict=True
        ):
            if isinstance(result, bytes):
                hashed.append(Sample(sample.path, sample.label, result))
            else:
                unreadable.append((sample.path, result))
            on_hashed(1)
    return hashed


def _split_by_content(
    samples: list[Sample], fraction: float, names: Sequence[str], notes: list[str]
) -> dict[str, list[Sample]]:
    """Split each class by the contents of its photos."""
    splits: dict[str, list[Sample]] = {TRAIN: [], VALIDATION: []}
    for label, name in enumerate(names):
        of_class = [sample for sample in samples if sample.label == label]
        contents = {sample.content_hash for sample in of_class}
        chosen_contents = held_back(contents, fraction)
        if len(contents) > 1 and fraction * len(contents) < 0.5:
            notes.append(f"{name} has few photos: one is kept for validation")
        if len(contents) > 1 and (1 - fraction) * len(contents) < 0.5:
            notes.append(f"{name} has few photos: one is kept for training")
        chosen = [s for s in of_class if s.content_hash in chosen_contents]
        splits[VALIDATION] += sorted(chosen, key=lambda s: s.path)
        others = [s for s in of_class if s.content_hash not in chosen_contents]
        splits[TRAIN] += sorted(others, key=lambda s: s.path)
    notes.append(
        f"split by content: {len(splits[TRAIN]):,} photos to train on, "
        f"{len(splits[VALIDATION]):,} for validation"
    )
    return splits


def _check_splits(dataset: Dataset, root: Path) -> None:
    for label, name in enumerate(dataset.class_names):
        if not any(sample.label == label for sample in dataset.splits[TRAIN]):
            raise DataError(f"{root} leaves no photo of {name} to train on: add photos of {name}")
    if not dataset.splits[VALIDATION]:
        raise DataError(f"{root} leaves no photo for validation: add photos")


def _warn_of_leakage(dataset: Dataset) -> None:
    trained = {sample.content_hash: sample.path for sample in dataset.splits[TRAIN]}
    leaks = [s for s in dataset.splits[VALIDATION] if s.content_hash in trained]
    if leaks:
        first = leaks[0]
        count = f"{counted(len(leaks), 'validation photo')} {'is' if len(leaks) == 1 else 'are'}"
        dataset.warnings.append(
            f"{count} also trained on and will flatter the accuracy, "
            f"e.g. {first.path} = {trained[first.content_hash]} "
            "(`catsdogs check` names all, and near copies)"
        )
