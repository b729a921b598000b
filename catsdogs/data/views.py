"""Seeded views of one photo: the same view on every machine, in any order of work."""

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from catsdogs.config import AugmentConfig, Config, Fit
from catsdogs.data.framing import MEAN_COLOUR, fit_to, frame
from catsdogs.data.images import is_flat, open_unchanged
from catsdogs.data.samples import Sample


@dataclass(frozen=True)
class ViewTransform:
    """What one view does to its photo: geometry about the centre, then brightness.

    Attributes:
        mirrored: left and right change places.
        rotation: radians, clockwise.
        shear: radians; lines that stood upright lean by it.
        zoom: factor; above 1 what is shown grows.
        shift: shares of the width and of the height.
        brightness: factor on pixel values.
    """

    mirrored: bool
    rotation: float
    shear: float
    zoom: float
    shift: tuple[float, float]
    brightness: float


def draw_transform(
    augment: AugmentConfig, seed: int, content_hash: bytes, number: int
) -> ViewTransform:
    """Draw the transform of view `number` of a photo, evenly within the configured bounds.

    The numbers come from a hash, not from a generator with a state: they depend on nothing
    but the arguments, whatever the machine, the library versions or the order of work.
    """
    name = b"%d/%d/" % (seed, number) + content_hash
    digest = hashlib.blake2b(name, digest_size=56).digest()
    draws = np.frombuffer(digest, "<u8") / 2.0**63 - 1.0  # (7,), -1 to 1
    return ViewTransform(
        mirrored=augment.flip and bool(draws[0] < 0),
        rotation=math.radians(augment.rotation_degrees) * draws[1],
        shear=math.radians(augment.shear_degrees) * draws[2],
        zoom=1 + augment.zoom * draws[3],
        shift=(augment.shift * draws[4], augment.shift * draws[5]),
        brightness=1 + augment.brightness * draws[6],
    )


def apply_transform(
    image: Image.Image, size: tuple[int, int], transform: ViewTransform
) -> np.ndarray:
    """Make a view in one affine transform with one interpolation, resizing included.

    Args:
        image: RGB photo of any size.
        size: height and width of the view, in pixels.
        transform: what to do.

    Returns:
        uint8 array of shape `(height, width, 3)`, RGB, 0 to 255.
    """
    height, width = size
    factor = min(image.width // width, image.height // height)
    if factor > 1:  # bilinear sampling sees two pixels a side: average away the rest before
        image = image.reduce(factor)
    cos, sin = math.cos(transform.rotation), math.sin(transform.rotation)
    rotate = np.array([[cos, sin], [-sin, cos]])
    shear = np.array([[1, math.tan(transform.shear)], [0, 1]])
    scale = np.diag([-1.0 if transform.mirrored else 1.0, 1.0]) / transform.zoom
    # Pillow asks where in the photo each pixel of the view comes from: centre the view in
    # a unit square, turn, and stretch the unit square over the photo.
    photo_size = np.array([image.width, image.height])
    view_size = np.array([width, height])
    aspect = np.array([width / height, 1.0])  # turns and shears act on the shape as it is shown
    matrix = (
        photo_size[:, None]
        * ((rotate @ shear @ scale) * aspect[None, :] / aspect[:, None])
        / view_size[None, :]
    )  # (2, 2)
    centre = photo_size * (0.5 - np.array(transform.shift))
    offset = centre - matrix @ (view_size / 2)
    view = image.transform(
        (width, height),
        Image.Transform.AFFINE,
        (*matrix[0], offset[0], *matrix[1], offset[1]),
        Image.Resampling.BILINEAR,
        fillcolor=MEAN_COLOUR,
    )
    levels = [min(255, round(level * transform.brightness)) for level in range(256)]
    return np.asarray(view.point(levels * 3))


@dataclass(frozen=True)
class ViewReader:
    """Reads views of photos, all of one size, and names them.

    Attributes:
        size: height and width of every view, in pixels.
        augment: bounds of the views.
        seed: of the views.
        fit: how a photo is brought to that shape.
        flat: photos that were read and are of one value, or nearly so; `train` names them.
    """

    size: tuple[int, int]
    augment: AugmentConfig
    seed: int
    fit: Fit = "stretch"
    flat: set[Path] = field(default_factory=set, compare=False)

    @classmethod
    def of(cls, config: Config) -> "ViewReader":
        """The views that a configuration asks for."""
        return cls(config.model.image_size, config.augment, config.seed, config.model.fit)

    def read(self, sample: Sample, number: int) -> np.ndarray:
        """Read view `number` of a photo; view 0 is the photo itself, as `read_photo` gives it.

        Returns:
            uint8 array of shape `(height, width, 3)`, RGB, 0 to 255.

        Raises:
            DataError: the photo cannot be read or decoded, or has changed since it was hashed.
        """
        image = open_unchanged(sample.path, sample.content_hash, self.size)
        if is_flat(np.asarray(image.resize((32, 32), Image.Resampling.NEAREST))):
            self.flat.add(sample.path)
        if number == 0:
            return fit_to(image, self.size, self.fit)
        transform = draw_transform(self.augment, self.seed, sample.content_hash, number)
        return apply_transform(frame(image, self.size, self.fit), self.size, transform)

    def key(self, sample: Sample, number: int) -> bytes:
        """Name a view within the store of a trunk: 16 bytes of photo, 16 of view.

        View 0 is the same under every augmentation; other views change with any bound or seed.
        """
        if number == 0:
            return sample.content_hash + bytes(16)
        bounds = self.augment.model_dump(exclude={"views"})
        described = json.dumps([bounds, self.seed, number], sort_keys=True).encode()
        return sample.content_hash + hashlib.blake2b(described, digest_size=16).digest()
