"""Accuracies that were measured with a backbone, each with the photos behind it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """How many photos a classifier named rightly, of photos that had no part in its making.

    Attributes:
        num_right: of them.
        num_photos: cats and dogs, other ones than it was trained with.
        how: what was on the backbone and what it was trained with.
    """

    num_right: int
    num_photos: int
    how: str


_HEAD = "logistic head, 2,000 photos, its strength by 4-fold cross-validation on them"

MEASURED = {
    "vgg16": Measurement(1188, 1200, _HEAD),
    "efficientnet_lite0": Measurement(1192, 1200, _HEAD),
}
"""By backbone, at its default size and fit; docs/backbones.md has more."""
