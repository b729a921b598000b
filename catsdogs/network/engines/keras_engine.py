"""Many photos through a network once: fed ahead, in batches that the device's memory holds."""

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from catsdogs.data.batches import Batch, Item, fill_batch
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


class ForwardPass:
    """A network that is asked batch by batch; where memory is short, by halves of batches.

    Args:
        model: Keras model, raw RGB `(n, height, width, 3)` to one or more arrays `(n, …)`.
        warn: told in a line where the device's memory asks for smaller batches.
        placement: where the model is.
    """

    def __init__(
        self,
        model: keras.Model,
        warn: Callable[[str], None],
        placement: Placement = Placement(),
    ) -> None:
        self._model = model
        self._placement = placement
        self._warn = warn
        self._limit: int | None = None
        # JAX lends the weights to the computation, and a failed one does not give them back
        self._lent = model.get_weights() if keras.backend.backend() == "jax" else None

    def over(
        self, batches: Iterable[Batch[Item]], batch_size: int
    ) -> Iterator[tuple[Batch[Item], list[np.ndarray]]]:
        """Each batch with the network's outputs for it; none of them where it has no photos.

        While the caller deals with one batch, the network computes the next.

        Args:
            batches: of `batch_size` photos, uint8 RGB; short ones are filled up, because
                another length would be compiled anew.

        Raises:
            OutOfMemoryError: the device's memory is too small for a single photo.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="forward") as pool:
            waiting = None
            for batch in batches:
                future = pool.submit(self._ask, batch.images, batch_size)
                if waiting is not None:
                    yield waiting[0], waiting[1].result()
                waiting = batch, future
            if waiting is not None:
                yield waiting[0], waiting[1].result()

    def _ask(self, images: np.ndarray, batch_size: int) -> list[np.ndarray]:
        if not len(images):
            return []
        while True:
            least = self._placement.num_devices
            size = self._limit or math.ceil(batch_size / least) * least
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
