import time

import keras
import numpy as np
import pytest

from catsdogs.data.batches import Batch, decode_each
from catsdogs.errors import DataError, OutOfMemoryError
from catsdogs.network.device import device_name
from catsdogs.network.engines.engine import answer_batches
from catsdogs.network.engines.keras_engine import KerasEngine, forward_batch_size


def out_of_memory():
    """What the backend in use raises."""
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            return tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        case "jax":
            import jax

            return jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying")
        case _:
            import torch

            return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


class SmallDevice(keras.Model):
    """Means of photos, on a device that holds `room` of them."""

    def __init__(self, room):
        super().__init__()
        self.room = room
        self.asked = []

    def call(self, images):
        return keras.ops.mean(keras.ops.cast(images, "float32"), axis=(1, 2, 3))

    def predict_on_batch(self, images):
        self.asked.append(len(images))
        if len(images) > self.room:
            raise out_of_memory()
        return super().predict_on_batch(images)


def photo(value):
    if value == 3:
        raise DataError("damaged")
    return np.full((4, 4, 3), value, np.uint8)


def means(model, warn=lambda _: None, photos=range(11), batch_size=8):
    found = {}
    batches = decode_each(photo, photos, batch_size, 2)
    engine = KerasEngine(model, "float32", warn, batch_size)
    for batch, outputs in answer_batches(engine, batches):
        found |= {value: outputs[0][index] for index, value in enumerate(batch.positions)}
        found |= dict(batch.failures)
    return found


EXPECTED = {value: "damaged" if value == 3 else value for value in range(11)}


def test_every_photo_gets_its_own_output_also_in_a_short_last_batch():
    model = SmallDevice(room=100)
    assert means(model) == EXPECTED
    assert model.asked == [8, 8]


def test_out_of_memory_halves_the_batches_for_good_and_says_so_once():
    model, lines = SmallDevice(room=3), []
    assert means(model, lines.append) == EXPECTED
    assert model.asked == [8, 4, 2, 2, 2, 2, 2]
    start = f"{device_name()} has too little memory for"
    assert lines == [
        f"{start} 8 photos at a time: going on with 4",
        f"{start} 4 photos at a time: going on with 2",
    ]


def test_device_that_holds_no_photo_is_one_line():
    with pytest.raises(OutOfMemoryError) as raised:
        means(SmallDevice(room=0))
    assert str(raised.value) == (
        f"{device_name()} has too little memory for a single photo: give a smaller model.image_size"
    )


def test_other_errors_of_the_backend_stay_what_they_are():
    class Broken(SmallDevice):
        def predict_on_batch(self, images):
            raise ValueError("not about memory")

    with pytest.raises(ValueError, match="not about memory"):
        means(Broken(room=9))


def test_batches_without_photos_report_their_failures():
    assert means(SmallDevice(room=9), photos=[3, 3]) == {3: "damaged"}
    empty = Batch(np.empty((0, 0, 0, 3), np.uint8), [], [(0, "damaged")])
    assert list(answer_batches(KerasEngine(SmallDevice(room=9), "float32"), [empty])) == [
        (empty, [])
    ]


def test_the_next_batch_is_computed_while_the_caller_has_the_last():
    model = SmallDevice(room=9)
    batches = (Batch(np.zeros((2, 4, 4, 3), np.uint8), [0, 1]) for _ in range(3))
    passing = answer_batches(KerasEngine(model, "float32", batch_size=2), batches)
    next(passing)
    deadline = time.monotonic() + 20
    while len(model.asked) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(model.asked) == 2
    assert len(list(passing)) == 2


def test_a_cpu_takes_batches_of_32():
    assert forward_batch_size((224, 224)) == 32
