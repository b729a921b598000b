"""Model files that are missing, damaged, or a stranger's."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras import layers

from . import Situation, edit_model, own_model

TITLE = "Model files"
INTRODUCTION = (
    "Opening one never runs code: a network is built from our own description of it, or from "
    "layers that stand on a list, and weights are read as numbers, whose shapes are compared "
    "before memory is taken for them."
)


def truncate(folder: Path) -> None:
    path = own_model(folder)
    os.truncate(path, path.stat().st_size // 2)


def edit_metadata(**changes: Any) -> Callable[[Path], None]:
    def edit(file: h5py.File) -> None:
        record = json.loads(file.attrs["catsdogs"])
        file.attrs["catsdogs"] = json.dumps({**record, **changes})

    return lambda folder: edit_model(folder, edit)


def huge_network(folder: Path) -> None:
    model = {"image_size": [2048, 2048], "pooling": "flatten", "head_units": 65536}
    edit_metadata(image_size=[2048, 2048], config={"model": model})(folder)


def put_nan(file: h5py.File) -> None:
    file["model_weights/dense/dense/bias"][0] = np.nan


def put_link(file: h5py.File) -> None:
    del file["model_weights/dense/dense/bias"]
    file["model_weights/dense/dense/bias"] = h5py.ExternalLink("other.h5", "/bias")


def put_bomb(file: h5py.File) -> None:
    del file["model_weights/dense/dense/bias"]
    file["model_weights/dense/dense"].create_dataset("bias", (10**12,), "f4")


def save_plain(*middle: layers.Layer, size: tuple = (16, 16), output: Any = None) -> None:
    keras.utils.clear_session(free_memory=False)
    images = keras.Input((*size, 3))
    x = layers.Rescaling(1 / 255)(images)
    for layer in middle:
        x = layer(x)
    output = output or layers.Dense(2, activation="softmax")
    keras.Model(images, output(layers.GlobalAveragePooling2D()(x))).save("plain.h5")


def save_large_logits(folder: Path) -> None:
    save_plain(output=layers.Dense(2, kernel_initializer="zeros", bias_initializer="ones"))


def save_weights_alone(folder: Path) -> None:
    keras.Sequential([keras.Input((4,)), layers.Dense(2)]).save_weights("plain.weights.h5")


def save_custom(folder: Path) -> None:
    save_plain()
    with h5py.File("plain.h5", "r+") as file:
        text = file.attrs["model_config"].replace('"Dense"', '"MyOwnLayer"')
        file.attrs["model_config"] = text


def save_for_texts(folder: Path) -> None:
    save_plain()
    with h5py.File("plain.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][0]["config"]["dtype"] = "string"
        file.attrs["model_config"] = json.dumps(config)


PLAIN = "catsdogs predict photo.png --model plain.h5"
OURS = "catsdogs predict photo.png"

SITUATIONS = [
    Situation("no model yet", OURS, lambda folder: Path("models/catsdogs.h5").unlink()),
    Situation("a folder", "catsdogs predict photo.png --model data"),
    Situation(
        "a pipe", "catsdogs predict photo.png --model pipe", lambda folder: os.mkfifo("pipe")
    ),
    Situation("an empty file", OURS, lambda folder: os.truncate(own_model(folder), 0)),
    Situation("another kind of file", "catsdogs predict photo.png --model photo.png"),
    Situation("half a file", OURS, truncate),
    Situation(
        "a terabyte of nothing behind it",
        OURS,
        lambda folder: os.truncate(own_model(folder), 2**40),
    ),
    Situation("a format of the future", OURS, edit_metadata(format_version=2)),
    Situation("metadata with something missing", OURS, edit_metadata(validation={"accuracy": 7})),
    Situation("a class without a name", OURS, edit_metadata(class_names=["cats", ""])),
    Situation("a class twice", OURS, edit_metadata(class_names=["cats", "cats"])),
    Situation(
        "another number of classes than outputs", OURS, edit_metadata(class_names=["a", "b", "c"])
    ),
    Situation("a network of 512 GiB in the metadata", OURS, huge_network),
    Situation(
        "photos of a billion pixels in the metadata",
        OURS,
        edit_metadata(config={"model": {"image_size": [10**9, 1]}}),
    ),
    Situation("weights that are no numbers", OURS, lambda folder: edit_model(folder, put_nan)),
    Situation(
        "weights that lie in another file", OURS, lambda folder: edit_model(folder, put_link)
    ),
    Situation(
        "weights of 4 TB that were never written",
        OURS,
        lambda folder: edit_model(folder, put_bomb),
    ),
    Situation("a Keras file whose classes are not named", PLAIN, lambda folder: save_plain()),
    Situation(
        "a Keras file with a `Lambda` layer, which can run any code",
        f"{PLAIN} --classes cats,dogs",
        lambda folder: save_plain(layers.Lambda(lambda x: x)),
    ),
    Situation(
        "a Keras file with a layer of somebody's own",
        f"{PLAIN} --classes cats,dogs",
        save_custom,
    ),
    Situation(
        "another number of names than outputs",
        f"{PLAIN} --classes cats,dogs,birds",
        lambda folder: save_plain(),
    ),
    Situation("a name twice", f"{PLAIN} --classes cats,cats", lambda folder: save_plain()),
    Situation(
        "a Keras file for photos of any size",
        f"{PLAIN} --classes cats,dogs",
        lambda folder: save_plain(size=(None, None)),
    ),
    Situation(
        "a Keras file whose outputs are no probabilities",
        f"{PLAIN} --classes cats,dogs",
        save_large_logits,
    ),
    Situation(
        "a Keras file of weights alone",
        "catsdogs predict photo.png --model plain.weights.h5 --classes cats,dogs",
        save_weights_alone,
    ),
    Situation(
        "a Keras file that takes texts",
        f"{PLAIN} --classes cats,dogs",
        save_for_texts,
    ),
    Situation(
        "a Keras file whose layers take more than a computer has",
        f"{PLAIN} --classes cats,dogs",
        lambda folder: save_plain(layers.ZeroPadding2D(37_000)),
    ),
    Situation("other names than the model's own", f"{OURS} --classes dogs,cats"),
]
