"""Photos that belong together, such as those of a patient or a video, and must not be split.

A pattern finds a photo's group in its path. It may come with a model file from a stranger, so
it has a time in which to do so.
"""

import math
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from catsdogs.errors import ConfigError, DataError
from catsdogs.text import counted, printable, shortened
from catsdogs.untrusted.boundary import foreign_bytes

_MOST_SECONDS = 10.0
"""For all paths; a hundred thousand took 0.7."""

_COUNTS = re.compile(r"\{\s*(\d{1,9})")
_MOST_REPEATS = 10_000
"""Of all counts like `{3}`, multiplied: what is repeated is written out in memory."""

_RECURSION = re.compile(r"\(\?(R|\d|[+-]\d|&|P>)")


def find_groups(pattern: str, paths: Sequence[Path], root: Path, notes: list[str]) -> list[str]:
    """The group of each photo by its path: what `data.group` finds in it; empty: nothing.

    Args:
        pattern: a regular expression, looked for anywhere in the path below `root`, with `/`
            between folders. Its group called `group` counts, else its first one, else all of it.
        paths: of the photos.
        root: the data folder.
        notes: is told how many groups there are.

    Raises:
        ConfigError: it is no regular expression, finds nothing anywhere, finds the same thing
            everywhere, or takes too long.
    """
    import regex  # with a limit of time, which Python's own has not

    if not paths:
        return []
    if math.prod(max(1, int(number)) for number in _COUNTS.findall(pattern)) > _MOST_REPEATS:
        raise ConfigError(f"data.group repeats more than {_MOST_REPEATS:,} times: give less")
    if _RECURSION.search(pattern):
        raise ConfigError("data.group calls itself, which may take any memory: give less")
    with foreign_bytes("data.group", ConfigError, damage="is no regular expression"):
        compiled = regex.compile(pattern)
    wanted: str | int = "group" if "group" in compiled.groupindex else min(1, compiled.groups)
    end = time.monotonic() + _MOST_SECONDS
    groups = []
    for path in paths:
        text = _below(path, root)
        try:
            found = compiled.search(text, timeout=max(0.001, end - time.monotonic()))
        except TimeoutError:
            raise ConfigError(
                f"data.group takes more than {_MOST_SECONDS:.0f} s, for example on {text}: "
                "give a simpler pattern"
            ) from None
        groups.append((found[wanted] or "") if found else "")
    num_found, num_groups = sum(map(bool, groups)), len({group for group in groups if group})
    if not num_found:
        raise ConfigError(
            f"data.group {pattern!r} finds nothing in any path, for example "
            f"{_below(paths[0], root)}: give a pattern that does"
        )
    if num_groups == 1 and num_found > 1:
        group = next(group for group in groups if group)
        raise ConfigError(
            f"data.group finds {printable(shortened(group, 60))!r} in {num_found:,} of "
            f"{counted(len(paths), 'photo')} and no other group: put into brackets what differs, "
            r"for example (\d+)"
        )
    others = len(paths) - num_found
    rest = f"; {others:,} more without one stand for themselves" if others else ""
    notes.append(f"{counted(num_groups, 'group')} of {counted(num_found, 'photo')}{rest}")
    return groups


def _below(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def refuse_crossing(places: Mapping[str, Iterable[str]], where: Path) -> None:
    """Refuse splits that share a group.

    Args:
        places: splits to the group of each of their photos; empty: none.
        where: the folder or manifest.

    Raises:
        DataError: a group has photos in several splits.
    """
    splits_of: dict[str, list[str]] = {}
    for split, groups in places.items():
        for group in sorted(set(groups) - {""}):
            splits_of.setdefault(group, []).append(split)
    crossing = {group: splits for group, splits in splits_of.items() if len(splits) > 1}
    if crossing:
        group, splits = next(iter(crossing.items()))
        number = counted(len(crossing), "group")
        raise DataError(
            f"{where}: {number} {'has' if len(crossing) == 1 else 'have'} photos in several "
            f"splits, e.g. {printable(shortened(group, 60))} in {' and '.join(splits)}: put all "
            "photos of a group into one split, or leave the splits out and let them be made"
        )


def tie_together(groups: Sequence[bytes], contents: Sequence[bytes]) -> list[bytes]:
    """What must not be split: photos of one group, and copies, which tie their groups together.

    Args:
        groups: of each photo, by a hash; empty: none.
        contents: of each photo, by a hash.

    Returns:
        For each photo the name of what it belongs to, the same for all that belong together.
    """
    tops: dict[bytes, bytes] = {}

    def top(name: bytes) -> bytes:
        while (above := tops.setdefault(name, name)) != name:
            tops[name] = tops[above]
            name = above
        return name

    for group, content in zip(groups, contents, strict=True):
        if group:
            # "a" before "c": called by a group's name, which copies that are added do not change
            first, second = sorted((top(b"a" + group), top(b"c" + content)))
            tops[second] = first
    names = (b"a" + g if g else b"c" + c for g, c in zip(groups, contents, strict=True))
    return [top(name)[1:] for name in names]


def held_back_groups(
    units: Sequence[bytes], labels: Sequence[int], fraction: float
) -> tuple[set[bytes], set[int]]:
    """Choose what is held back for validation where photos belong together.

    As near to the fraction of each class as whole groups allow, in the order of the groups'
    hashes, which depends on their names alone. A class keeps one group at least to train on.

    Args:
        units: what each photo belongs to, as `tie_together` gives it.
        labels: class of each photo.
        fraction: of each class, between 0 and 1.

    Returns:
        The units that are held back, and the classes of which none could be.
    """
    members: dict[bytes, Counter[int]] = {}
    for unit, label in zip(units, labels, strict=True):
        members.setdefault(unit, Counter())[label] += 1
    totals = Counter(labels)
    held: Counter[int] = Counter()
    chosen: set[bytes] = set()

    def leaves_some(counts: Counter[int]) -> bool:
        return all(held[label] + number < totals[label] for label, number in counts.items())

    def gain(counts: Counter[int]) -> float:
        """How much nearer a unit brings its classes to their shares."""
        return sum(
            (
                abs(held[label] - fraction * totals[label])
                - abs(held[label] + number - fraction * totals[label])
            )
            / totals[label]
            for label, number in counts.items()
        )

    for unit in sorted(members):
        if leaves_some(members[unit]) and gain(members[unit]) > 0:
            chosen.add(unit)
            held += members[unit]
    for label in sorted(totals):
        if not held[label]:  # all its groups are large: the smallest one, if another stays
            having = [u for u in sorted(members) if members[u][label] and u not in chosen]
            having = [u for u in having if leaves_some(members[u])]
            if having:
                unit = min(having, key=lambda u: members[u].total())
                chosen.add(unit)
                held += members[unit]
    return chosen, {label for label in totals if not held[label]}
