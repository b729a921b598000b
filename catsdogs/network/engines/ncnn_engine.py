"""A network on a CPU by ncnn: float32, convolutions by Winograd's method, no Keras.

Winograd's method multiplies less than half as often as the direct one (Lavin and Gray, "Fast
Algorithms for Convolutional Neural Networks", 2015). Each photo is computed by itself, by one
thread, so that its answer depends on nothing but itself, to the last digit; several photos are
computed side by side. Threads inside one photo would wait for each other wherever other
programs keep the cores busy.
"""

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import ncnn
import numpy as np

from catsdogs.data.batches import num_decode_threads
from catsdogs.network.engines.ncnn_text import INPUT_NAME, as_ncnn
from catsdogs.network.network import Network

_PHOTOS_A_THREAD = 4
"""In a batch: enough that no thread waits for long at its end, and progress still moves."""


class NcnnEngine:
    """See `Engine`.

    Args:
        network: of photos, with all its weights.
        num_threads: photos that are computed side by side; 0: one for each processor core.
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
        if self._net.load_model(_WeightsReader(weights)):
            raise ValueError("ncnn does not take the weights")

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


class _WeightsReader(ncnn.DataReader):
    """Gives ncnn a copy of the weights, an array at a time, without a file in between.

    What it is given as one piece it would read in place, as long as it lives.
    """

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        super().__init__()
        self._arrays = iter(arrays)
        self._rest = memoryview(b"")

    def read(self, place: object, num_bytes: int) -> int:
        """Copy so many bytes to a place in memory; how many there were."""
        memory = (ctypes.c_ubyte * num_bytes).from_address(_address_in(place, None))
        target, done = memoryview(memory).cast("B"), 0
        while done < num_bytes:
            if not self._rest:
                array = next(self._arrays, None)
                if array is None:
                    break
                self._rest = np.ascontiguousarray(array).reshape(-1).data.cast("B")
            part = self._rest[: num_bytes - done]
            target[done : done + len(part)] = part
            self._rest, done = self._rest[len(part) :], done + len(part)
        return done


_address_in = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
"""The address that a capsule without a name holds."""
