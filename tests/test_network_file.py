"""Model files that are written without Keras: as Keras writes them, and Keras opens them."""

import json

import h5py
import keras
import numpy as np
import pytest
from test_model_file import metadata

from catsdogs.config import Config, ModelConfig
from catsdogs.errors import DivergedError
from catsdogs.model.keras_config import network_from_config, network_of
from catsdogs.model.keras_description import describe_network
from catsdogs.model.model_file import load_model, save_model
from catsdogs.model.network_file import read_network, save_network
from catsdogs.network import layers as described
from catsdogs.network.backbones import get_backbone
from catsdogs.network.classifier import build_classifier, set_backbone_weights, split_at
from catsdogs.network.classifier_network import POOLING_NAME, pooled_network, with_linear_head
from catsdogs.network.network import Network
from catsdogs.training.features import hash_weights
from catsdogs.training.trunk import Trunk, new_trunk

pytestmark = pytest.mark.slow

FLOAT32 = keras.DTypePolicy("float32")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 40, 3)).astype(np.uint8)
CLASSES = ("ants", "bees", "wasps")
NAMES = ["vgg16", "efficientnet_lite0", "mobilenet_v2"]


def config_of(name, pooling="average"):
    return ModelConfig(
        backbone=name, weights="random", image_size=(32, 40), head_units=0, pooling=pooling
    )


def both(name, pooling="average"):
    """The same classifier in Keras and in our own layers."""
    config, backbone = config_of(name, pooling), get_backbone(name)
    weights = backbone.load_weights("random", 1)
    model = build_classifier(config, len(CLASSES), FLOAT32, seed=3)
    set_backbone_weights(model, weights)
    kernel, bias = model.layers[-1].get_weights()
    scale = np.abs(split_at(model, POOLING_NAME)[0](IMAGES)).max()
    head = kernel / scale, bias + 0.1  # answers that are neither 0 nor 1
    model.layers[-1].set_weights(head)
    return model, with_linear_head(pooled_network(backbone, config, weights), *head)


def answers(model):
    return np.asarray(model(IMAGES, training=False))


def facts(name):
    config = metadata(CLASSES).config | {"model": config_of(name).model_dump(mode="json")}
    return metadata(CLASSES).model_copy(update={"config": config, "backbone": name})


def contents(path):
    """Names and arrays of a file, attributes but the description of the network included."""
    found = {}

    def note(name, item):
        is_array = isinstance(item, h5py.Dataset)
        found[name] = (item.dtype, item[()].tobytes()) if is_array else "group"
        for key, value in item.attrs.items():
            found[name, key] = np.asarray(value).tolist()

    with h5py.File(path) as file:
        note("", file)
        file.visititems(note)
        del found["", "model_config"], found["", "catsdogs"]
        return found, json.loads(file.attrs["model_config"])


@pytest.mark.parametrize("name", NAMES)
def test_plain_keras_opens_it_and_answers_the_same(name, tmp_path):
    model, network = both(name)
    save_network(tmp_path / "m.h5", network, facts(name))
    plain = keras.models.load_model(tmp_path / "m.h5", compile=False)
    expected = answers(model)
    assert len(np.unique(expected.round(5))) > 3
    np.testing.assert_allclose(answers(plain), expected, rtol=0, atol=1e-6)
    own, _ = load_model(tmp_path / "m.h5", FLOAT32)
    np.testing.assert_allclose(answers(own), expected, rtol=0, atol=1e-6)
    stored = read_network(tmp_path / "m.h5")
    assert stored.network.fingerprint() == network.fingerprint()


@pytest.mark.parametrize("name", NAMES)
def test_it_holds_what_a_file_of_keras_holds(name, tmp_path):
    model, network = both(name)
    save_model(tmp_path / "keras.h5", model, facts(name))
    save_network(tmp_path / "ours.h5", network, facts(name))
    by_keras, keras_config = contents(tmp_path / "keras.h5")
    by_us, config = contents(tmp_path / "ours.h5")
    assert by_us == by_keras
    inner, keras_inner = config["config"], keras_config["config"]
    layers, keras_layers = inner.pop("layers"), keras_inner.pop("layers")
    assert config == keras_config
    # how weights are drawn and decayed says nothing about a network that has its weights
    free = ("initializer", "regularizer", "constraint", "momentum", "renorm")
    later = {"optional", "ragged", "quantization_config", "synchronized"}
    for layer, by_keras in zip(layers, keras_layers, strict=True):
        settings, keras_settings = layer.pop("config"), by_keras.pop("config")
        by_keras["inbound_nodes"] = [
            node | {"kwargs": {}}
            for node in by_keras["inbound_nodes"]  # {"mask": None}
        ]
        assert layer == by_keras
        assert set(settings) <= set(keras_settings)
        missing = set(keras_settings) - set(settings) - later
        assert [key for key in missing if not any(word in key for word in free)] == []
        for key, value in settings.items():
            if "initializer" not in key:
                assert (layer["name"], key, value) == (layer["name"], key, keras_settings[key])


@pytest.mark.parametrize("pooling", ["average", "max", "flatten"])
def test_a_network_is_the_same_as_the_one_that_keras_builds(pooling):
    model, network = both("efficientnet_lite0", pooling)
    assert network_of(model).fingerprint() == network.fingerprint()


@pytest.mark.parametrize("name", NAMES)
def test_features_are_found_by_the_same_name_whoever_computes_them(name):
    model, _ = both(name)
    config, weights = config_of(name), get_backbone(name).load_weights("random", 1)
    whole = Config(model=config, engine="keras")
    by_keras = Trunk(None, lambda: model, whole, "float32")
    by_us = new_trunk(whole, weights, "float32", 3)
    lower = get_backbone(name).cut_points[get_backbone(name).finetuned_block]
    for boundary in (POOLING_NAME, lower):
        frozen, _ = split_at(model, boundary)
        expected = hash_weights(frozen)
        assert by_us.hash_up_to(boundary) == by_keras.hash_up_to(boundary) == expected
        assert by_us.output_shape(boundary) == by_keras.output_shape(boundary)
    assert by_us.fingerprint == by_keras.fingerprint == "keras tensorflow, float32"


def test_every_layer_of_ours_comes_back_from_its_description():
    layers = [
        described.Input("photo", (), (9, 8, 3)),
        described.Rescaling("scaled", ("photo",), (0.5, 1.0, 2.0), (1.0,)),
        described.ZeroPadding("padded", ("scaled",), described.Pads(1, 0, 2, 1)),
        described.Convolution("convolved", ("padded",), (3, 3), filters=4, activation="sigmoid"),
        described.DepthwiseConvolution("deep", ("convolved",), (1, 1), use_bias=False),
        described.BatchNormalization("normal", ("deep",), 1e-5),
        described.Activation("six", ("normal",), "relu6"),
        described.Activation("relu", ("six",), "relu"),
        described.Add("sum", ("relu", "convolved")),
        described.Concatenate("beside", ("sum", "deep")),
        described.MaxPooling("most", ("beside",), (2, 2), (2, 2), "same"),
        described.AveragePooling("mean", ("most",), (2, 2)),
        described.GlobalMaxPooling("max", ("mean",)),
        described.GlobalAveragePooling("average", ("mean",)),
        described.Flatten("flat", ("mean",)),
        described.Concatenate("all", ("max", "average", "flat")),
        described.Dropout("dropout", ("all",), 0.25),
        described.Dense("answer", ("dropout",), 2, activation="softmax"),
    ]
    network = Network(tuple(layers))
    config = describe_network(network, "every")
    drawn = np.random.default_rng(0)
    arrays = {
        name: [drawn.random(shape, np.float32) for shape in shapes]
        for name, shapes in network.weight_shapes.items()
    }
    assert network_from_config(config, arrays).layers == network.layers
    model = keras.Model.from_config(json.loads(json.dumps(config))["config"])
    again = network_from_config(json.loads(model.to_json()), arrays)
    assert again.layers == network.layers


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    _, network = both("efficientnet_lite0")
    kernel, bias = network.weights["probabilities"]
    broken = network.with_weights({"probabilities": (kernel, bias + np.nan)})
    with pytest.raises(DivergedError) as refusal:
        save_network(tmp_path / "m.h5", broken, facts("efficientnet_lite0"))
    assert str(refusal.value) == (
        f"{tmp_path / 'm.h5'} is not written: weights of its layer probabilities are NaN or "
        "infinite"
    )
    assert list(tmp_path.iterdir()) == []
