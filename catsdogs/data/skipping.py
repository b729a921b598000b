"""Photos that cannot be used: out of the splits, onto a list, and how many are too many."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from catsdogs.console import Console
from catsdogs.data.dataset import Dataset
from catsdogs.data.layout import TRAIN
from catsdogs.data.photo_kinds import NOT_READ_HERE
from catsdogs.data.samples import Sample
from catsdogs.data.views import ViewReader
from catsdogs.errors import DataError
from catsdogs.text import counted, some_of

NUM_NAMED = 3
"""So many skipped photos are named in one line; all of them stand in a file."""


def drop_unreadable(
    dataset: Dataset, failures: Sequence[tuple[Sample, str]], max_unreadable: float
) -> None:
    """Move photos that could not be read from the splits to the list of unreadable files.

    Raises:
        DataError: a split, or a class to train on, has no photos left, or the unreadable
            photos are more than the share that is put up with.
    """
    if not failures:
        return
    reasons = {sample.path: reason for sample, reason in failures}
    dataset.unreadable += reasons.items()
    for split, samples in dataset.splits.items():
        dataset.splits[split] = [sample for sample in samples if sample.path not in reasons]
        if samples and not dataset.splits[split]:
            path, reason = dataset.unreadable[0]
            raise DataError(f"no {split} photo can be read, e.g. {path}: {reason}")
    for label in {sample.label for sample, _ in failures}:
        if not any(sample.label == label for sample in dataset.splits[TRAIN]):
            raise DataError(f"no {TRAIN} photo of {dataset.class_names[label]} can be read")
    refuse_too_many(dataset, max_unreadable)


def refuse_too_many(dataset: Dataset, max_unreadable: float) -> None:
    """Stop where the unreadable photos are more than a share, 0 to 1, of all photos.

    Raises:
        DataError: more of them are unreadable.
    """
    num_unreadable = len(dataset.unreadable)
    num_photos = num_unreadable + sum(map(dataset.count, dataset.splits))
    if num_unreadable > max_unreadable * num_photos:
        way_out = "`catsdogs check` names them all"
        reason, of_it = Counter(reason for _, reason in dataset.unreadable).most_common(1)[0]
        if reason in NOT_READ_HERE.values():
            way_out = f"{of_it:,} are of one kind, {reason}"
        raise DataError(
            f"{num_unreadable:,} of {num_photos:,} photos cannot be read, more than "
            f"data.max_unreadable = {max_unreadable:g} allows: {way_out}"
        )


def describe_skipped(skipped: Sequence[tuple[Path, str]], list_path: Path) -> str:
    """All skipped photos in one line: their number, the first of them, where the rest stands."""
    count = f"{counted(len(skipped), 'photo')} {'is' if len(skipped) == 1 else 'are'}"
    reasons = together_by_reason(skipped)
    named = [f"{some_of(paths, NUM_NAMED)} ({reason})" for reason, paths in reasons.items()]
    others = sum(len(paths) for paths in list(reasons.values())[NUM_NAMED:])
    if others:
        named[NUM_NAMED:] = [f"and {others:,} more"]
    is_whole = not others and all(len(paths) <= NUM_NAMED for paths in reasons.values())
    return f"{count} skipped: {', '.join(named)}" + ("" if is_whole else f"; see {list_path}")


def together_by_reason(skipped: Iterable[tuple[Path, str]]) -> dict[str, list[Path]]:
    """Reasons to the photos that have them, both in the order in which they came."""
    together: dict[str, list[Path]] = {}
    for path, reason in skipped:
        together.setdefault(reason, []).append(path)
    return together


class NotReadHere:
    """Photos that could not be read for want of a package, however many there are."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, list[str]] = {}

    def add(self, name: str, reason: str) -> None:
        """Count a photo, if the reason is of that kind."""
        if reason in NOT_READ_HERE.values():
            self._counts[reason] += 1
            if self._counts[reason] <= NUM_NAMED:
                self._first.setdefault(reason, []).append(name)

    def lines(self) -> list[str]:
        """For each package a line with the first photos and the way out."""
        return [
            f"{counted(count, 'photo')} not read, {', '.join(self._first[reason])}"
            + (f" and {count - NUM_NAMED:,} more" if count > NUM_NAMED else "")
            + f": {reason}"
            for reason, count in self._counts.items()
        ]


def warn_of_flat_photos(views: ViewReader, console: Console) -> None:
    """Name the photos that show nothing, each once: they are trained on all the same."""
    flat = sorted(views.flat)
    views.flat.clear()
    if flat:
        verb = "is" if len(flat) == 1 else "are"
        console.warn(
            f"{counted(len(flat), 'photo')} {verb} of one colour, or nearly so: "
            f"{some_of(flat, NUM_NAMED)} (`catsdogs check` names all)"
        )
