"""The photos of a training: from a folder or a manifest to samples in splits."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from catsdogs.config import DataConfig
from catsdogs.data.doubts import conflicts, leaks, split_moments
from catsdogs.data.groups import refuse_crossing, tie_together
from catsdogs.data.layout import TRAIN, VALIDATION
from catsdogs.data.listing import NOTHING, ClassMapping, ListedPhoto, Listing, list_photos
from catsdogs.data.manifest import is_manifest
from catsdogs.data.moments import MOMENT, Moment, same_moments
from catsdogs.data.samples import Advance, Sample, SampleReading
from catsdogs.data.splitting import split_photos
from catsdogs.data.subsample import Subsample
from catsdogs.errors import DataError
from catsdogs.text import counted, some_of


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
        """A SHA-256 (hex) of splits, classes, contents and weights; file names do not matter."""
        lines = sorted(
            self._line(split, sample)
            for split, samples in self.splits.items()
            for sample in samples
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def order_fingerprint(self) -> str:
        """A SHA-256 (hex) that changes with the order of the photos as well."""
        lines = [
            self._line(split, sample) + sample.group.hex()
            for split in sorted(self.splits)
            for sample in self.splits[split]
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _line(self, split: str, sample: Sample) -> str:
        line = f"{split}/{self.class_names[sample.label]}/{sample.content_hash.hex()}"
        return line if sample.weight == 1 else f"{line}/{sample.weight:.6g}"


def load_dataset(
    config: DataConfig,
    seed: int,
    class_names: Sequence[str] | None = None,
    on_hashed: Advance = lambda _: None,
    known_classes: ClassMapping = NOTHING,
    as_one: bool = False,
) -> Dataset:
    """Find the photos of `train` and `validation` and read their content hashes.

    Either the folder holds `train/` and `validation/` (or other names, see `find_layout`) with
    a folder per class in each, or it holds the class folders themselves; or a manifest says it
    all. Where photos are not split, their contents decide: renaming photos moves none, adding
    some moves few others or none (see `held_back`), and copies always fall into the same split.
    What belongs together by `data.group` stays together.

    Args:
        config: folder or manifest, classes, groups, fraction for validation, subsampling.
        seed: of the subsampling.
        class_names: the classes of an existing model, in its order; None takes the
            folders' names in alphabetical order.
        on_hashed: called with the number of photos read since the last call.
        known_classes: `data.classes` of the training of that model, which counts where `config`
            says nothing else.
        as_one: every photo is trained on and validated with, whatever split it is in, as in
            cross-validation; what crosses the splits does not matter then.

    Raises:
        DataError: no folder, no class folders, wrong rows, a group in several splits, fewer than
            two classes, a class without photos to train on, or folders that do not match
            `class_names`.
        ConfigError: `data.classes` or `data.group` does not fit the photos.
    """
    root = Path(config.dir)
    listing = list_photos(config, class_names or (), known_classes)
    if not as_one:
        groups = {split: [photo.group for photo in of] for split, of in listing.splits.items()}
        refuse_crossing(groups, root)
    notes = listing.notes
    names = _class_names(listing, class_names, notes)
    splits = {split: _samples(photos, names) for split, photos in listing.splits.items()}
    reading = SampleReading(on_hashed, config.group == MOMENT)
    subsample = Subsample(config.subsample, seed, listing.root, names, notes)
    if VALIDATION in splits:
        splits = {split: reading.hashed(subsample.of(split, s)) for split, s in splits.items()}
        splits = _by_moment(splits, config, reading.moments)
    else:
        hashed = {TRAIN: reading.hashed(splits[TRAIN])}
        splits = _by_moment(hashed, config, reading.moments)
        if not as_one:
            splits = split_photos(splits[TRAIN], config.validation_fraction, names, notes)
        splits = {split: subsample.of(split, samples) for split, samples in splits.items()}
    if as_one:
        everything = [sample for samples in splits.values() for sample in samples]
        splits = {TRAIN: everything, VALIDATION: list(everything)}
    dataset = Dataset(names, _weighted(_tied(splits)), notes, unreadable=reading.unreadable)
    _check_splits(dataset, root)
    dataset.warnings += conflicts(dataset.splits)
    if not as_one:
        dataset.warnings += leaks(dataset.splits)
        dataset.warnings += split_moments(dataset.splits, reading.moments)
    return dataset


def _samples(photos: Sequence[ListedPhoto], names: Sequence[str]) -> list[Sample]:
    """Photos in the order of the classes, each with its label."""
    labels = {name: label for label, name in enumerate(names)}
    samples = [
        Sample(
            photo.path,
            labels[photo.class_name],
            group=_group_key(photo.group) if photo.group else b"",
            weight=photo.weight,
        )
        for photo in photos
    ]
    return sorted(samples, key=lambda sample: sample.label)  # stable: else as they were


def _group_key(group: str) -> bytes:
    return hashlib.blake2b(group.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _by_moment(
    splits: dict[str, list[Sample]], config: DataConfig, moments: Mapping[Path, Moment]
) -> dict[str, list[Sample]]:
    """Photos that were taken at once are a group, where `data.group` asks for that."""
    if config.group != MOMENT:
        return splits
    groups = {
        path: _group_key(str(moments[paths[0]]))
        for paths in same_moments(moments)
        for path in paths
    }
    return {
        split: [replace(sample, group=groups.get(sample.path, b"")) for sample in samples]
        for split, samples in splits.items()
    }


def _tied(splits: dict[str, list[Sample]]) -> dict[str, list[Sample]]:
    """Groups that share a photo are one group."""
    samples = [sample for of_split in splits.values() for sample in of_split]
    if not any(sample.group for sample in samples):
        return splits
    units = iter(tie_together([s.group for s in samples], [s.content_hash for s in samples]))
    return {split: [replace(s, group=next(units)) for s in of] for split, of in splits.items()}


def _weighted(splits: dict[str, list[Sample]]) -> dict[str, list[Sample]]:
    """Weights that are 1 on average over the photos to train on, so that none changes the rate."""
    weights = [sample.weight for sample in splits[TRAIN]]
    mean = sum(weights) / len(weights) if weights else 1.0
    if all(sample.weight == 1 for samples in splits.values() for sample in samples):
        return splits
    return {
        split: [replace(s, weight=s.weight / mean) for s in samples]
        for split, samples in splits.items()
    }


def _class_names(
    listing: Listing, known: Sequence[str] | None, notes: list[str]
) -> tuple[str, ...]:
    """The classes, after checking that every split's photos belong to them."""
    of_splits = {s: {photo.class_name for photo in photos} for s, photos in listing.splits.items()}
    places = listing.places
    names = tuple(known) if known is not None else tuple(sorted(of_splits[TRAIN]))
    owner = "the model" if known is not None else str(places[TRAIN])
    for split, of_split in of_splits.items():
        place = places[split]
        if strangers := sorted(of_split - set(names)):
            raise _stranger(strangers[0], split, place, owner, names)
        missing = sorted(set(names) - of_split)
        of_what = f"{split} photos" if is_manifest(place) else "photos"
        if missing and split == TRAIN:
            raise DataError(f"{place} has no {of_what} of {some_of(missing)}")
        if missing:
            notes.append(f"{place} has no {of_what} of {some_of(missing)}")
    if not names:
        raise DataError(f"{places[TRAIN]} has no photos left to train on", key="data.classes")
    if len(names) < 2:
        raise DataError(
            f"{places[TRAIN]} has only the class {names[0]}: expected two classes or more"
        )
    return names


def _stranger(name: str, split: str, place: Path, owner: str, names: Sequence[str]) -> DataError:
    """The error for a class that others do not have."""
    if is_manifest(place):
        owner = f"the split {TRAIN}" if owner == str(place) else owner
        found = f"{place} has {split} photos of {name}, which"
        way_out = "mend or remove their rows, or set data.classes"
    else:
        found, way_out = str(place / name), "rename or remove the folder"
    return DataError(f"{found} is no class of {owner}, which has {some_of(names)}: {way_out}")


def _check_splits(dataset: Dataset, root: Path) -> None:
    problem = ""
    if dataset.unreadable:
        path, reason = dataset.unreadable[0]
        problem = f" ({counted(len(dataset.unreadable), 'photo')} cannot be read, e.g. {path}: "
        problem += f"{reason})"
    for label, name in enumerate(dataset.class_names):
        if not any(sample.label == label for sample in dataset.splits[TRAIN]):
            raise DataError(
                f"{root} leaves no photo of {name} to train on{problem}: add photos of {name}"
            )
    if not dataset.splits[VALIDATION]:
        raise DataError(f"{root} leaves no photo for validation{problem}: add photos")
