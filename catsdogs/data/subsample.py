"""Every N-th photo of a class: which ones, a seed decides, and renaming others changes nothing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catsdogs.data.samples import Sample
from catsdogs.text import some_of


@dataclass(frozen=True)
class Subsample:
    """A seeded N-th of every class, at least one photo of each; groups as whole as they can be.

    Attributes:
        every: N; 1 takes all.
        seed: of what looks drawn.
        root: the data folder, below which photos are told apart by their paths.
        class_names: in the order of the labels.
        notes: is told where a class would have had none.
    """

    every: int
    seed: int
    root: Path
    class_names: Sequence[str]
    notes: list[str]

    def of(self, split: str, samples: list[Sample]) -> list[Sample]:
        """The photos of a split that are taken, in the order of classes and paths."""
        if self.every == 1:
            return samples
        kept, few = [], []
        for label, name in enumerate(self.class_names):
            of_class = [sample for sample in samples if sample.label == label]
            per_class = len(of_class) // self.every
            if of_class and not per_class:
                few.append(f"{len(of_class)} {split} photos of {name}")
                per_class = 1
            of_class.sort(key=self._place_in_line)
            kept += sorted(of_class[:per_class], key=lambda sample: sample.path)
        if few:
            one = "one" if len(few) == 1 else "one of each"
            self.notes.append(
                f"subsample {self.every} of {some_of(few)} would be none: {one} is kept"
            )
        return kept

    def _place_in_line(self, sample: Sample) -> tuple[int, int]:
        """What decides which photos are taken first."""
        path = sample.path
        name = (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()
        rank = _rank(self.seed, name)
        return (_rank(self.seed, sample.group.hex()) if sample.group else rank), rank


def _rank(*parts: object) -> int:
    """A number below 2**64 that looks random and depends on the arguments alone."""
    name = "\0".join(map(str, parts)).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")
