"""Photos that are copies of each other, and what that means where they lie."""

from collections.abc import Sequence
from itertools import pairwise

from catsdogs.checking.findings import Finding
from catsdogs.checking.folder_listing import Place
from catsdogs.checking.inspection import Inspection
from catsdogs.checking.near_copies import find_near_copies
from catsdogs.data.moments import SECONDS, same_moments


def find_copies(places: Sequence[Place], inspections: Sequence[Inspection]) -> list[Finding]:
    """One finding for each group of copies: a label conflict, a leak, or mere duplicates.

    Args:
        places: of all photos.
        inspections: of the same photos in the same order. Those that cannot be used are
            left out: two empty files are not copies of a photo.
    """
    usable = [
        position
        for position, inspection in enumerate(inspections)
        if not {"unreadable", "too_large"} & {kind for kind, _ in inspection.faults}
    ]
    by_content: dict[bytes, list[int]] = {}
    for position in usable:
        by_content.setdefault(inspections[position].content_hash, []).append(position)
    pairs = [pair for positions in by_content.values() for pair in pairwise(positions)]
    seen = [(p, signature) for p in usable if (signature := inspections[p].signature) is not None]
    for one, other in find_near_copies([signature for _, signature in seen]):
        pairs.append((seen[one][0], seen[other][0]))
    return [
        _judge(
            [places[position] for position in group], {inspections[p].content_hash for p in group}
        )
        for group in _groups(pairs)
    ]


def find_split_moments(places: Sequence[Place], inspections: Sequence[Inspection]) -> list[Finding]:
    """One finding for each moment whose photos lie in several splits.

    Args:
        places: of all photos.
        inspections: of the same photos in the same order.
    """
    moments = {place: i.moment for place, i in zip(places, inspections, strict=True) if i.moment}
    findings = []
    for together in same_moments(moments):
        splits = sorted({place.split for place in together})
        if len(splits) > 1:
            paths = tuple(place.path for place in together)
            detail = f"by one camera, {SECONDS} s apart or less: {' and '.join(splits)}"
            findings.append(Finding("split_moment", paths, detail))
    return findings


def _groups(pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Positions that are tied to each other by pairs, directly or through others."""
    parents: dict[int, int] = {}

    def top(position: int) -> int:
        while (parent := parents.setdefault(position, position)) != position:
            parents[position] = parents[parent]
            position = parent
        return position

    for one, other in pairs:
        first, second = sorted((top(one), top(other)))
        parents[second] = first
    groups: dict[int, list[int]] = {}
    for position in sorted(parents):
        groups.setdefault(top(position), []).append(position)
    return list(groups.values())


def tied_together(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """A number for each of `count` positions: the same for those that pairs tie together."""
    groups = list(range(count))
    for positions in _groups(pairs):
        for position in positions:
            groups[position] = positions[0]
    return groups


def _judge(places: Sequence[Place], contents: set[bytes]) -> Finding:
    classes = sorted({place.class_name for place in places})
    splits = sorted({place.split for place in places})
    what = "exact copies" if len(contents) == 1 else "near copies"
    paths = tuple(place.path for place in places)
    if len(classes) > 1:
        return Finding("label_conflict", paths, f"{what}: {' and '.join(classes)}")
    if len(splits) > 1:
        return Finding("leak", paths, f"{what}: {' and '.join(splits)}")
    return Finding("duplicate", paths, what)
