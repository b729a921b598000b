"""What photos of a model's classes look like to it, so that it can say "neither" to others.

A photo is strange where its features lie far from those of the training photos, or where no
class is probable. How far is too far is read off photos that were not trained on: a photo is
refused where at most a given share of them is as strange as it is. So the share of ordinary
photos that will be refused is known beforehand, whatever the network, its features and the
number of classes (conformal prediction: Vovk, Gammerman and Shafer, 2005).

The distance is Mahalanobis' between features of length 1, with one centre and a covariance in
factors: along the principal axes of the training photos by their spread, across them by the spread
of what is left (Tipping and Bishop, "Probabilistic Principal Component Analysis", 1999). The
length is what tells least: with it, the same distance lets four in five photos of other animals
pass that are refused without. `docs/neither.md` has what was measured, and against what;
`catsdogs/training/known_photos.py` learns it.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import h5py
import numpy as np

from catsdogs.untrusted.hdf5 import check_array, child, read_array

GROUP = "catsdogs_known_photos"
"""Of the arrays in a model file, beside the weights."""

ARRAYS = ("mean", "axes", "spreads", "held_out")

MOST_AXES = 16
"""Of EfficientNet-Lite0's and VGG16's features, 8 refuse less of what is strange, 64 no more."""

MOST_HELD_OUT = 2000
"""Photos that the scale is read off: beyond, a share is no more exact than anyone needs."""

_SHORTEST = 1e-12
"""Length of features: those that are all zero stay so."""


@dataclass(frozen=True, eq=False)
class KnownPhotos:
    """The photos that a model knows, in a few numbers.

    Attributes:
        mean: float32 `(features,)`, of the training photos.
        axes: float32 `(features, axes)`, orthonormal, as the mean of features of length 1.
        spreads: float32 `(axes + 1,)`, standard deviations along each axis, and of one feature
            across all of them; positive.
        held_out: float32 `(n, 2)`, for each photo that was not trained on, the probability of the
            class it was given, and its distance.

    Raises:
        ValueError: the shapes do not fit each other.
    """

    mean: np.ndarray
    axes: np.ndarray
    spreads: np.ndarray
    held_out: np.ndarray

    def __post_init__(self) -> None:
        num_features, num_axes = self.axes.shape if self.axes.ndim == 2 else (0, 0)
        if (
            self.mean.shape != (num_features,)
            or self.spreads.shape != (num_axes + 1,)
            or self.held_out.ndim != 2
            or self.held_out.shape[1] != 2
            or not 0 < len(self.held_out) <= MOST_HELD_OUT
            or not 0 < num_axes <= MOST_AXES
            or num_features < 1
        ):
            raise ValueError("what it knows of photos has shapes that do not fit")
        if not (self.spreads > 0).all():
            raise ValueError("what it knows of photos has spreads that are not positive")

    @property
    def least_share(self) -> float:
        """The least share of ordinary photos that can be refused: below it, nothing is."""
        return 1 / (len(self.held_out) + 1)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """How far photos lie from those that were trained on, float64 `(n,)`.

        Args:
            features: float `(n, features)`, what is pooled of each.
        """
        return distances(features, self.mean, self.axes, self.spreads)

    def strangeness(self, features: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """How strange photos are: the share of held-out photos that are less so.

        Args:
            features: float `(n, features)`.
            probabilities: float `(n, classes)`.

        Returns:
            float64 `(n,)`, 0 to n / (n + 1); a photo is refused from 1 - share on.
        """
        ranks = self._ranks(probabilities.max(axis=1), self.distances(features))
        below = np.searchsorted(self._own_ranks, ranks, side="left")
        return below / (len(self.held_out) + 1)

    def limits(self, share: float) -> tuple[float, float] | None:
        """The same as two bounds: what lies beyond one of them is refused.

        Args:
            share: of ordinary photos that are refused.

        Returns:
            Least probability of the class that is given, and largest distance; None where
            nothing is refused.
        """
        count = len(self.held_out)
        most_refused = math.floor(share * (count + 1) + 1e-9) - 1
        if most_refused < 0:
            return None
        # the lowest rank that so few of them reach
        ranks = np.arange(count + 1)
        reached = count - np.searchsorted(self._own_ranks, ranks, side="left")
        lowest = int(np.argmax(reached <= most_refused))
        confidences, distances = np.sort(self.held_out, axis=0).T
        return float(confidences[count - lowest]), float(distances[lowest - 1])

    def _ranks(self, confidences: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """The larger of two shares of held-out photos: more probable ones, and nearer ones."""
        known_confidences, known_distances = np.sort(self.held_out, axis=0).T
        more_probable = len(self.held_out) - np.searchsorted(
            known_confidences, confidences.astype(np.float32), side="right"
        )
        nearer = np.searchsorted(known_distances, distances.astype(np.float32), side="left")
        return np.maximum(more_probable, nearer)

    @cached_property
    def _own_ranks(self) -> np.ndarray:
        return np.sort(self._ranks(*self.held_out.T))


def of_length_one(features: np.ndarray) -> np.ndarray:
    """Features as vectors of length 1, float64 `(n, features)`."""
    values = features.astype(np.float64)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), _SHORTEST)


def distances(
    features: np.ndarray, mean: np.ndarray, axes: np.ndarray, spreads: np.ndarray
) -> np.ndarray:
    """How far photos lie from those that the other arguments were learned from.

    Args:
        features: float `(n, features)`.
        mean, axes, spreads: as `KnownPhotos` has them.

    Returns:
        float64 `(n,)`.
    """
    centred = of_length_one(features) - mean
    along = centred @ axes.astype(np.float64)  # (n, axes)
    across = np.maximum(0, np.square(centred).sum(axis=1) - np.square(along).sum(axis=1))
    return np.sqrt(np.square(along / spreads[:-1]).sum(axis=1) + across / spreads[-1] ** 2)


def write_known_photos(file: h5py.File, known: KnownPhotos) -> None:
    """Put the arrays into an open model file."""
    group = file.create_group(GROUP)
    for name in ARRAYS:
        group.create_dataset(name, data=getattr(known, name))


def read_known_photos(file: h5py.File) -> KnownPhotos | None:
    """Read the arrays of an open model file; None where it has none. Nothing is trusted.

    Raises:
        ValueError: an array is missing, lies elsewhere, is too large, is not finite or does not
            fit the others.
    """
    if GROUP not in file:
        return None
    arrays: dict[str, Any] = {}
    left = file.id.get_filesize()
    for name in ARRAYS:
        array = child(file, f"{GROUP}/{name}")
        check_array(array, name, left)
        left -= array.nbytes
        arrays[name] = read_array(array)
        if arrays[name].dtype != np.float32:
            raise ValueError(f"{GROUP}/{name} is not of 32-bit numbers")
    return KnownPhotos(**arrays)
