"""Class folders to samples: layouts, class names, splits, subsampling, fingerprints."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from catsdogs.config import DataConfig
from catsdogs.data.content_split import held_back
from catsdogs.data.contents import new_hash, open_file
from catsdogs.data.images import is_photo
from catsdogs.errors import DataError
from catsdogs.text import counted

TRAIN, VALIDATION, TEST = "train", "validation", "test"

SPLIT_FOLDERS = {
    "train": TRAIN,
    "validation": VALIDATION,
    "val": VALIDATION,
    "valid": VALIDATION,
    "test": TEST,
}


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

    Either the folder holds `train/` and `validation/` (or `val/`, `valid/`) with a folder
    per class in each, or it holds the class folders themselves. In the second case, and
    where there is no validation folder, a photo's content decides its split: renaming photos
    moves none, adding some moves few others or none (see `held_back`), and copies always fall
    into the same split.

    Args:
        config: folder, share of validation, subsampling.
        seed: of the subsampling.
        class_names: the classes of an existing model, in its order; None takes the
            folders' names in alphabetical order.
        on_hashed: called with the number of photos read since the last call.

    Raises:
        DataError: no folder, no class folders, fewer than two classes, a class without
            photos to train on, or folders that do not match `class_names`.
    """
    root = Path(config.dir)
    notes: list[str] = []
    folders = _training_folders(root)
    listed = {split: list_classes(folder, notes) for split, folder in folders.items()}
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


def list_photos(folder: Path) -> list[Path]:
    """All photos below a folder, hidden files and folders left out, sorted by path."""
    return _walk(folder)[0]


def _walk(folder: Path) -> tuple[list[Path], int]:
    """Photos below a folder, and how many other files lie among them."""
    photos, others = [], 0
    for parent, folders, files in os.walk(folder, onerror=_refuse_folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            path = Path(parent, name)
            if is_photo(path):
                photos.append(path)
            else:
                others += 1
    return sorted(photos), others


def _refuse_folder(error: OSError) -> None:
    """Stop at a folder that cannot be read, rather than pass over what is in it."""
    raise DataError(f"{error.filename} cannot be read: {error.strerror}")


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None


def require_folder(root: Path, option: str = "a folder") -> None:
    """Make sure that there is a folder to look for photos in.

    Args:
        root: the folder.
        option: what the user gives another by.

    Raises:
        DataError: there is none.
    """
    if not root.is_dir():
        problem = f"{root} is a file" if root.exists() else f"no folder {root}"
        raise DataError(
            f"{problem}: give {option} with one folder per class in it, "
            "or run `catsdogs sample` for the built-in photos"
        )


def find_split_folders(root: Path) -> dict[str, Path]:
    """Which folder in `root` holds which split; those of `train`, `validation`, `test` there are.

    Raises:
        DataError: two folders are the same split, or `root` cannot be read.
    """
    found: dict[str, Path] = {}
    for folder in _subfolders(root):
        split = SPLIT_FOLDERS.get(folder.name.lower())
        if split in found:
            raise DataError(f"{found[split]} and {folder} are both {split}: keep one of them")
        if split:
            found[split] = folder
    return found


def _training_folders(root: Path) -> dict[str, Path]:
    """Which folder holds which split; `train` alone where the photos are not split."""
    require_folder(root, "--data DIR")
    found = find_split_folders(root)
    if TRAIN in found:
        return {split: found[split] for split in (TRAIN, VALIDATION) if split in found}
    if VALIDATION in found:
        raise DataError(f"{root} has {found[VALIDATION].name}/ but no train/: add {root / 'train'}")
    return {TRAIN: root}


def list_classes(folder: Path, notes: list[str]) -> dict[str, list[Path]]:
    """Class names to photo paths, those of each sorted.

    Args:
        folder: holds a folder per class.
        notes: is told what was left out.

    Raises:
        DataError: it holds no class folders with photos.
    """
    classes = {}
    others = 0
    for subfolder in _subfolders(folder):
        if subfolder.name.lower() == TEST:  # beside class folders: photos to test on later
            continue
        photos, strangers = _walk(subfolder)
        others += strangers
        if photos:
            if not _is_unicode(subfolder.name):  # no model file could hold it
                raise DataError(f"{subfolder} is not named in UTF-8: rename the folder")
            classes[subfolder.name] = photos
        else:
            notes.append(f"{subfolder} holds no photos and is left out")
    if others:
        notes.append(
            f"{folder}: left out, hidden or no photos by their names: {counted(others, 'file')}"
        )
    loose = sum(1 for path in folder.iterdir() if path.is_file() and is_photo(path))
    if loose:
        notes.append(f"{folder}: left out, in no class folder: {counted(loose, 'photo')}")
    if not classes:
        raise DataError(
            f"{folder} has no class folders with photos: expected one folder per class, "
            f"e.g. {folder / 'cats'}"
        )
    return classes


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
        share = len(of_class) // config.subsample
        if of_class and not share:
            notes.append(
                f"subsample {config.subsample} of {len(of_class)} {split} photos of {name} "
                "would be none: one is kept"
            )
            share = 1
        of_class.sort(key=lambda s: _rank(seed, s.path.relative_to(root).as_posix()))
        kept += sorted(of_class[:share], key=lambda s: s.path)
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
