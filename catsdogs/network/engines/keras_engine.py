"""A network in Keras: photos in batches that the device's memory holds."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from catsdogs.data.batches import fill_batch
from catsdogs.errors import OutOfMemoryError
from catsdogs.network.device import answering_out_of_memory, device_memory, gpu_names

TRUNK_BATCH_SIZE = 32
"""Photos that go through the network together on a CPU."""

_LARGEST_BATCH_SIZE = 256
"""Beyond it, no GPU is filled better, and the first batch keeps it waiting for longer."""

_BYTES_PER_PIXEL = 4 * 64 * 4
"""What VGG16 takes: as much as any network that is in use."""


def forward_batch_size(image_size: tuple[int, int], bytes_per_pixel: int = _BYTES_PER_PIXEL) -> int:
    """Photos that go through the network together: on a GPU, what a quarter of its memory holds.

    Args:
        image_size: height and width in pixels.
        bytes_per_pixel: memory that a photo takes on its way through, for each of its pixels.
    """
    memory = device_memory()
    if not gpu_names() or memory is None:
        return TRUNK_BATCH_SIZE
    fitting = memory / 4 / (image_size[0] * image_size[1] * bytes_per_pixel)
    size = _LARGEST_BATCH_SIZE
    while size > max(1, fitting):
        size //= 2
    return size


@dataclass(frozen=True)
class Placement:
    """Brings a batch to the devices that a model is on; by default, the backend's own does.

    Attributes:
        num_devices: a batch is so many equal parts.
        place: takes and gives photos `(n, height, width, 3)`.
    """

    num_devices: int = 1
    place: Callable[[np.ndarray], Any] = lambda images: images


class KerasEngine:
    """A Keras model that is asked batch by batch; where memory is short, by halves of batches.

    See `Engine`.

    Args:
        model: Keras model, raw RGB `(n, height, width, 3)` to one or more arrays `(n, …)`.
        precision: what it computes in, by name.
        warn: told in a line where the device's memory asks for smaller batches.
        batch_size: photos that are computed together; fewer are filled up, because another
            length would be compiled anew.
        placement: where the model is.
    """

    name = "keras"

    def __init__(
        self,
        model: keras.Model,
        precision: str,
        warn: Callable[[str], None] = lambda _: None,
        batch_size: int = TRUNK_BATCH_SIZE,
        placement: Placement = Placement(),
    ) -> None:
        self._model = model
        self._placement = placement
        self._warn = warn
        self.batch_size = batch_size
        self.fingerprint = f"keras {keras.backend.backend()}, {precision}"
        self._limit: int | None = None
        # JAX lends the weights to the computation, and a failed one does not give them back
        self._lent = model.get_weights() if keras.backend.backend() == "jax" else None

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        """Photos uint8 `(n, height, width, 3)`, RGB, to arrays `(n, …)`.

        Raises:
            OutOfMemoryError: the device's memory is too small for a single photo.
        """
        while True:
            least = self._placement.num_devices
            size = self._limit or math.ceil(self.batch_size / least) * least
            way_out = f"for {size} photos at a time"
            if size == least:
                way_out = "for a single photo: give a smaller model.image_size"
            try:
                with answering_out_of_memory(way_out):
                    parts = [
                        self._outputs(images[start : start + size], size)
                        for start in range(0, len(images), size)
                    ]
            except OutOfMemoryError as error:
                if size == least:
                    raise
                self._limit = max(least, size // 2 // least * least)
                if self._lent is not None:
                    self._model.set_weights(self._lent)
                self._warn(f"{error}: going on with {self._limit}")
            else:
                return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _outputs(self, images: np.ndarray, size: int) -> list[np.ndarray]:
        filled = self._placement.place(fill_batch(images, size))
        outputs = keras.tree.flatten(self._model.predict_on_batch(filled))
        return [np.asarray(output)[: len(images)] for output in outputs]
