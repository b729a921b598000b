"""Photos that are not split yet, split into those to train on and those for validation."""

from collections import Counter
from collections.abc import Sequence

from catsdogs.data.content_split import held_back
from catsdogs.data.groups import held_back_groups, tie_together
from catsdogs.data.layout import TRAIN, VALIDATION
from catsdogs.data.samples import Sample
from catsdogs.text import counted, some_of


def split_photos(
    samples: list[Sample], fraction: float, names: Sequence[str], notes: list[str]
) -> dict[str, list[Sample]]:
    """Split each class by the contents of its photos, or by their groups.

    What lies under two classes is trained on: held back by one of them alone, it would be both.

    Args:
        samples: with their content hashes.
        fraction: of each class for validation, between 0 and 1.
        names: of the classes, in the order of the labels.
        notes: is told how it was split.

    Returns:
        `train` and `validation` to samples, in the order of classes and paths.
    """
    if any(sample.group for sample in samples):
        return _split_by_group(samples, fraction, names, notes)
    pairs = {(sample.content_hash, sample.label) for sample in samples}
    classes = Counter(content for content, _ in pairs)
    splits: dict[str, list[Sample]] = {TRAIN: [], VALIDATION: []}
    few: dict[str, list[str]] = {VALIDATION: [], TRAIN: []}
    for label, name in enumerate(names):
        of_class = [sample for sample in samples if sample.label == label]
        contents = {s.content_hash for s in of_class if classes[s.content_hash] == 1}
        chosen_contents = held_back(contents, fraction)
        if len(contents) > 1 and fraction * len(contents) < 0.5:
            few[VALIDATION].append(name)
        if len(contents) > 1 and (1 - fraction) * len(contents) < 0.5:
            few[TRAIN].append(name)
        chosen = [s for s in of_class if s.content_hash in chosen_contents]
        splits[VALIDATION] += sorted(chosen, key=lambda s: s.path)
        others = [s for s in of_class if s.content_hash not in chosen_contents]
        splits[TRAIN] += sorted(others, key=lambda s: s.path)
    for split, purpose in ((VALIDATION, "validation"), (TRAIN, "training")):
        if few[split]:
            verb = "has" if len(few[split]) == 1 else "have"
            kept = "one" if len(few[split]) == 1 else "one of each"
            notes.append(f"{some_of(few[split])} {verb} few photos: {kept} is kept for {purpose}")
    notes.append(f"split by content: {fraction:.4g} of each class is held back for validation")
    return splits


def _split_by_group(
    samples: list[Sample], fraction: float, names: Sequence[str], notes: list[str]
) -> dict[str, list[Sample]]:
    units = tie_together([s.group for s in samples], [s.content_hash for s in samples])
    chosen, without = held_back_groups(units, [s.label for s in samples], fraction)
    splits: dict[str, list[Sample]] = {TRAIN: [], VALIDATION: []}
    for sample, unit in sorted(
        zip(samples, units, strict=True), key=lambda pair: (pair[0].label, pair[0].path)
    ):
        splits[VALIDATION if unit in chosen else TRAIN].append(sample)
    if without:
        whose = [names[label] for label in sorted(without)]
        verb, its = ("has", "its") if len(whose) == 1 else ("have", "their")
        notes.append(f"{some_of(whose)} {verb} no group to spare: none of {its} photos validates")
    num_groups = len(set(units))
    notes.append(
        f"split by group: {len(splits[TRAIN]):,} photos to train on, "
        f"{len(splits[VALIDATION]):,} for validation, of {num_groups - len(chosen):,} and "
        f"{counted(len(chosen), 'group')}"
    )
    return splits
