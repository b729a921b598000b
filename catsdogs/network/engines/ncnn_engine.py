"""A network on a CPU by ncnn: float32, convolutions by Winograd's method, no Keras.

Winograd's method multiplies less than half as often as the direct one (Lavin and Gray, "Fast
Algorithms for Convolutional Neural Networks", 2015). Each photo is computed by itself, by one
thread, so that its answer depends on nothing but itself, to the last digit; several photos are
computed side by side. Threads inside one photo would wait for each other wherever other
programs keep the cores busy.
"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import ncnn
import numpy as np

from catsdogs.data.batches import num_decode_threads
from catsdogs.errors import DataError
from catsdogs.network.engines.ncnn_text import INPUT_NAME, as_ncnn
from catsdogs.network.network import Network

_PHOTOS_A_THREAD = 4
"""In a batch: enough that no thread waits for long at its end, and progress still moves."""


class NcnnEngine:
    """See `Engine`.

    Args:
        network: of photos, with all its weights.
        num_threads: photos that are computed side by side; 0: one for each processor core.

    Raises:
        DataError: the weights cannot be handed over, as there is no room for temporary files.
    """

    name = "ncnn"
    fingerprint = f"ncnn {ncnn.__version__}, float32"

    def __init__(self, network: Network, num_threads: int = 0) -> None:
        self._num_threads = num_decode_threads(num_threads)
        self.batch_size = _PHOTOS_A_THREAD * self._num_threads
        self._pool = ThreadPoolExecutor(self._num_threads, thread_name_prefix="ncnn")
        text, weights, self._output_names = as_ncnn(network)
        self._net = ncnn.Net()
        _compute_in_float32(self._net.opt)
        if self._net.load_param_mem(text):
            raise ValueError(f"ncnn takes no such network: {text[:200]}")
        _hand_over(self._net, weights)

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        """Photos uint8 `(n, height, width, 3)`, RGB, to float32 arrays `(n, …)`."""
        rows = self._pool.map(self._compute, images)
        return [np.stack(arrays) for arrays in zip(*rows, strict=True)]

    def _compute(self, image: np.ndarray) -> list[np.ndarray]:
        height, width, _ = image.shape
        extractor = self._net.create_extractor()
        # copies the pixels: a Mat that is made of an array does not keep the array alive
        pixels = ncnn.Mat.from_pixels(
            np.ascontiguousarray(image), ncnn.Mat.PixelType.PIXEL_RGB, width, height
        )
        extractor.input(INPUT_NAME, pixels)
        arrays = []
        for name in self._output_names:
            failed, output = extractor.extract(name)
            if failed:
                raise MemoryError(f"ncnn cannot compute {name} ({failed})")
            array = np.array(output)  # a copy: the output's memory is used again
            # pictures come with channels first
            arrays.append(np.ascontiguousarray(np.moveaxis(array, 0, -1)))
        return arrays


def _compute_in_float32(options: "ncnn.Option") -> None:
    """Keep ncnn from computing in 16 bits, and from using threads inside a photo."""
    options.num_threads = 1
    options.use_vulkan_compute = False
    options.use_fp16_packed = False
    options.use_fp16_storage = False
    options.use_fp16_arithmetic = False
    options.use_bf16_packed = False
    options.use_bf16_storage = False


def _hand_over(net: "ncnn.Net", weights: list[np.ndarray]) -> None:
    """Give the weights in a file: from memory, ncnn reads them in place, as long as it lives.

    An array at a time, so that they are not in memory once more in one piece.
    """
    try:
        if hasattr(os, "memfd_create"):  # Linux: a file in memory, which needs no folder
            with open(os.memfd_create("catsdogs"), "wb") as file:  # noqa: PTH123 - a descriptor
                _write(weights, file)
                file.flush()
                failed = net.load_model(f"/proc/self/fd/{file.fileno()}")
        else:
            with tempfile.TemporaryDirectory(prefix="catsdogs-") as folder:
                path = Path(folder) / "weights.bin"
                with path.open("wb") as file:
                    _write(weights, file)
                failed = net.load_model(str(path))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        num_bytes = sum(array.nbytes for array in weights)
        raise DataError(
            f"the network's weights, {num_bytes / 2**20:.0f} MiB, find no room in a temporary "
            f"file ({reason}): make room, or set TMPDIR to another folder"
        ) from None
    if failed:
        raise ValueError("ncnn does not take the weights")


def _write(weights: list[np.ndarray], file: BinaryIO) -> None:
    for array in weights:
        file.write(np.ascontiguousarray(array).data)
