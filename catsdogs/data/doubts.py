"""What makes the accuracy on a split worth less, found by what was read of the photos anyway.

`catsdogs check` finds more, and takes longer.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from catsdogs.data.layout import TRAIN, VALIDATION
from catsdogs.data.moments import SECONDS, Moment, same_moments
from catsdogs.data.samples import Sample
from catsdogs.text import counted

Splits = Mapping[str, Sequence[Sample]]
"""`train` and `validation` to samples."""


def conflicts(splits: Splits) -> Iterator[str]:
    """The same picture under two classes, in a sentence: one of the two is wrong."""
    first: dict[bytes, Sample] = {}
    found = [
        (known, sample)
        for samples in splits.values()
        for sample in samples
        if (known := first.setdefault(sample.content_hash, sample)).label != sample.label
    ]
    if found:
        known, sample = found[0]
        yield (
            f"{counted(len(found), 'photo')} under one class and under another as well, e.g. "
            f"{known.path} = {sample.path} (`catsdogs check` names all)"
        )


def leaks(splits: Splits) -> Iterator[str]:
    """The same picture on both sides of a split, in a sentence."""
    trained = {sample.content_hash: sample.path for sample in splits[TRAIN]}
    found = [sample for sample in splits[VALIDATION] if sample.content_hash in trained]
    if found:
        first = found[0]
        count = f"{counted(len(found), 'validation photo')} {'is' if len(found) == 1 else 'are'}"
        yield (
            f"{count} also trained on and will flatter the accuracy, "
            f"e.g. {first.path} = {trained[first.content_hash]} "
            "(`catsdogs check` names all, and near copies)"
        )


def split_moments(splits: Splits, moments: Mapping[Path, Moment]) -> Iterator[str]:
    """Photos that were taken at once and are not split alike, in a sentence.

    Args:
        splits: the photos.
        moments: when photos were taken, as far as that is known.
    """
    split_of = {sample.path: split for split, samples in splits.items() for sample in samples}
    known = {path: moment for path, moment in moments.items() if path in split_of}
    crossing = [
        paths for paths in same_moments(known) if len({split_of[path] for path in paths}) > 1
    ]
    validated = [path for paths in crossing for path in paths if split_of[path] == VALIDATION]
    if validated:
        trained = next(path for path in crossing[0] if split_of[path] == TRAIN)
        verb = "was" if len(validated) == 1 else "were"
        yield (
            f"{counted(len(validated), 'validation photo')} {verb} taken within {SECONDS} s of "
            f"photos that are trained on, by the same camera, and may flatter the accuracy, e.g. "
            f"{validated[0]} and {trained}: data.group keeps together what belongs together"
        )
