"""What `catsdogs review` finds about photos, put together and put in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catsdogs.checking.appearance import Appearance
from catsdogs.checking.label_issues import LabelIssue
from catsdogs.checking.look_alikes import LookAlike

SUSPECT_KINDS = {
    "wrong_label": "label in doubt",
    "odd": "like no other photo",
    "near_copy": "the same as another",
    "one_colour": "nearly one colour",
    "too_dark": "too dark",
    "too_bright": "too bright",
    "blurred": "blurred",
}
"""Each kind with what it means, for people; the names are those of the JSON and the CSV."""

_ODD_DEVIATIONS = 2.5
"""Measured on 2,800 photos of cats and dogs: 16 lie beyond, among them a logo, a sign, a toy and a
cut-out star; see docs/review.md."""

_MAX_CONTRAST = 15.0
"""Levels. The least of those photos, in which there is something to see: 18."""

_DARK_LEVEL, _BRIGHT_LEVEL = 70.0, 190.0
"""Of 255: nine of ten pixels are darker, or brighter. Of those photos, 75 and 186 at the ends."""

_MIN_SHARPNESS = 0.42
"""Those photos have 0.48 and more, but for one, which is out of focus and has 0.38. Blurred by a
hundredth of their long side, nineteen of twenty have 0.35 or less."""


_SURE = "probably wrong"


@dataclass(frozen=True)
class Suspect:
    """A photo that a person should look at.

    Attributes:
        path: the file.
        content_hash: of its bytes.
        given: its class, as it lies.
        likely: the class that heads which have not seen it think most likely.
        probability: of that one, 0 to 1.
        reasons: kinds, in the order of `SUSPECT_KINDS`, each with what it is in this case.
        other: the photo that it is the same as; None where there is none.
    """

    path: Path
    content_hash: bytes
    given: str
    likely: str
    probability: float
    reasons: dict[str, str]
    other: Path | None = None

    @property
    def kind(self) -> str:
        """The weightiest of its kinds."""
        return next(iter(self.reasons))


@dataclass(frozen=True)
class Seen:
    """What suspicion rests on; all of the same photos in the same order.

    Attributes:
        paths: the files.
        contents: their content hashes.
        labels: int `(n,)`, indices of classes, as given.
        class_names: in the order of the labels.
        answers: logarithms of probabilities `(n, classes)`, each by a head that has not seen the
            photo.
        issues: as `find_label_issues` gives them.
        alike: pairs that show the same.
        cosines: of each photo's nearest others, `(n, k)`, the nearest first.
        looks: how they look; None for what could not be looked at.
    """

    paths: Sequence[Path]
    contents: Sequence[bytes]
    labels: np.ndarray
    class_names: tuple[str, ...]
    answers: np.ndarray
    issues: Sequence[LabelIssue]
    alike: Sequence[LookAlike]
    cosines: np.ndarray
    looks: Sequence[Appearance | None]


@dataclass(frozen=True)
class _Found:
    """Why a photo is suspect. Attributes: its position, the kind, what it is in this case."""

    position: int
    kind: str
    detail: str = ""


def rank_suspects(seen: Seen) -> list[Suspect]:
    """The suspect photos, by the weightiest of their kinds and, within it, the worst first."""
    others: dict[int, int] = {}
    found = [
        *(
            _Found(issue.position, "wrong_label", _SURE if issue.is_confident else "")
            for issue in seen.issues
        ),
        *(_Found(position, "odd") for position in _odd(seen.cosines)),
        *_copies(seen, others),
        *_looks(seen.looks),
    ]
    kinds = list(SUSPECT_KINDS)
    found.sort(key=lambda one: kinds.index(one.kind))  # stable: the order within a kind stays
    reasons: dict[int, dict[str, str]] = {}
    for one in found:
        reasons.setdefault(one.position, {}).setdefault(one.kind, one.detail)
    counted_as = {issue.position: issue.label for issue in seen.issues}
    likely = {p: counted_as.get(p, int(seen.answers[p].argmax())) for p in reasons}
    return [
        Suspect(
            seen.paths[position],
            seen.contents[position],
            seen.class_names[seen.labels[position]],
            seen.class_names[likely[position]],
            float(np.exp(seen.answers[position, likely[position]])),
            of_photo,
            seen.paths[others[position]] if position in others else None,
        )
        for position, of_photo in reasons.items()
    ]


def _odd(cosines: np.ndarray) -> list[int]:
    """Photos whose nearest others are far away, the farthest first.

    Sun, Ming, Zhu and Li, "Out-of-Distribution Detection with Deep Nearest Neighbors", 2022: the
    distance to the k-th nearest tells what belongs to nothing. It counts where it lies beyond
    what the middle half of the photos vary by.
    """
    if not cosines.size:
        return []
    nearness = cosines[:, -1]
    middle = np.median(nearness)
    spread = 1.4826 * np.median(np.abs(nearness - middle))  # of a normal distribution: 1 sigma
    odd = np.flatnonzero(nearness < middle - _ODD_DEVIATIONS * max(spread, 1e-6))
    return sorted(odd.tolist(), key=lambda position: nearness[position])


def _copies(seen: Seen, others: dict[int, int]) -> Iterator[_Found]:
    """Copies of earlier photos, those of another class first; fills in what of."""

    def conflicts(pair: LookAlike) -> bool:
        return bool(seen.labels[pair.one] != seen.labels[pair.other])

    for pair in sorted(seen.alike, key=lambda pair: (not conflicts(pair), pair.one, pair.other)):
        if pair.other in others:
            continue
        others[pair.other] = pair.one
        known = seen.paths[pair.one]
        where = f" in {seen.class_names[seen.labels[pair.one]]}" if conflicts(pair) else ""
        yield _Found(pair.other, "near_copy", f"{pair.how} as {known}{where}")


def _looks(looks: Sequence[Appearance | None]) -> Iterator[_Found]:
    """Photos on which little is to be seen, the worst of each kind first."""
    there = [(position, look) for position, look in enumerate(looks) if look is not None]
    for kind, badness in (
        ("one_colour", lambda look: _MAX_CONTRAST - look.contrast),
        ("too_dark", lambda look: _DARK_LEVEL - look.bright),
        ("too_bright", lambda look: look.dark - _BRIGHT_LEVEL),
        ("blurred", lambda look: _MIN_SHARPNESS - look.sharpness),
    ):
        bad = [(badness(look), position) for position, look in there if badness(look) > 0]
        for _, position in sorted(bad, key=lambda one: (-one[0], one[1])):
            yield _Found(position, kind)
