"""The classic Keras recipe: generators, frozen VGG16 in float32, `fit` through all layers.

Run as a process of its own, so that it shares nothing with ours:

    python -m benchmarks.classic train DIR --photos 200 --size 224

It prints one JSON line with seconds and numbers of photos.
"""

import json
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from catsdogs.config import Config
from catsdogs.data.walking import list_photos
from catsdogs.network.backend import import_backend


def make_generator(batch_size: int, size: int, folder: Path, augmented: bool, count: int) -> Any:
    """Keras' own legacy generator, on the first `count` photos of a folder of class folders."""
    from keras.applications.vgg16 import preprocess_input
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    bounds = Config().augment
    augmentation = {
        "horizontal_flip": bounds.flip,
        "rotation_range": bounds.rotation_degrees,
        "width_shift_range": bounds.shift,
        "height_shift_range": bounds.shift,
        "shear_range": bounds.shear_degrees,
        "zoom_range": bounds.zoom,
        "brightness_range": (1 - bounds.brightness, 1 + bounds.brightness),
    }
    generator = ImageDataGenerator(
        preprocessing_function=preprocess_input, **(augmentation if augmented else {})
    )
    flow = generator.flow_from_directory(
        folder, (size, size), batch_size=batch_size, class_mode="sparse", seed=0
    )
    return _first(flow, count)


def _first(flow: Any, count: int) -> Any:
    """Keep an evenly spaced part of a directory iterator's photos."""
    chosen = np.linspace(0, flow.samples - 1, min(count, flow.samples)).astype(int)
    flow._filepaths = [flow._filepaths[index] for index in chosen]
    flow.classes = flow.classes[chosen]
    flow.n = flow.samples = len(chosen)
    return flow


def make_model(size: int, units: int, unfreeze_block5: bool) -> Any:
    """Frozen VGG16 in float32 with the same head as ours, compiled."""
    import keras

    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(size, size, 3))
    for layer in base.layers:
        layer.trainable = unfreeze_block5 and layer.name.startswith("block5")
    model = keras.Sequential(
        [
            base,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(1e-5), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


@click.command()
@click.argument("what", type=click.Choice(["train", "finetune", "predict"]))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--photos", default=200, help="Photos to train on, or to predict.")
@click.option("--validation-photos", default=80)
@click.option("--size", default=224)
@click.option("--batch-size", default=32)
def main(
    what: str, folder: Path, photos: int, validation_photos: int, size: int, batch_size: int
) -> None:
    """Time one epoch, validation included, or single predictions."""
    import_backend()
    import keras

    model = make_model(size, Config().model.head_units, what == "finetune")
    if what == "predict":
        seconds = _time_predictions(model, folder, photos, size)
        validation_photos = 0
    else:
        training = make_generator(batch_size, size, folder / "train", True, photos)
        validation = make_generator(
            batch_size, size, folder / "validation", False, validation_photos
        )
        images = np.zeros((batch_size, size, size, 3), np.float32)
        labels = np.zeros(batch_size, np.int32)
        model.fit(images, labels, batch_size=batch_size, verbose=0)  # graphs are made once
        model.evaluate(images, labels, batch_size=batch_size, verbose=0)
        start = time.perf_counter()
        model.fit(training, validation_data=validation, verbose=0)
        seconds = time.perf_counter() - start
    click.echo(
        json.dumps(
            {
                "what": what,
                "seconds": seconds,
                "photos": photos,
                "validation_photos": validation_photos,
                "keras": keras.__version__,
            }
        )
    )


def _time_predictions(model: Any, folder: Path, count: int, size: int) -> float:
    """A loop of `load_img` and `model.predict`, photo by photo, as tutorials have it."""
    from keras.applications.vgg16 import preprocess_input
    from keras.utils import img_to_array, load_img

    paths = list_photos(folder / "validation")[:count]
    model.predict(np.zeros((1, size, size, 3), np.float32), verbose=0)
    start = time.perf_counter()
    for path in paths:
        image = img_to_array(load_img(path, target_size=(size, size)))
        model.predict(preprocess_input(image[None]), verbose=0)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
