"""Plain Keras .h5 files: the harmless ones are answered for, the others are never run."""

import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from catsdogs.errors import ConfigError, ModelFileError
from catsdogs.model.admission import ADMITTED_LAYERS, ADMITTED_SETTINGS
from catsdogs.model.keras_config import OtherLayersError, network_from_config
from catsdogs.model.predictor import ModelRequest, Predictor

SIZE = (8, 12)
MARK = Path("it_ran")


@pytest.fixture(autouse=True)
def in_its_own_folder(tmp_path, monkeypatch):
    keras.utils.clear_session(free_memory=False)  # layers are numbered from the start again
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(tmp_path, make_photos):
    return make_photos(tmp_path / "photos", 3, size=SIZE)


def save(output_units=2, activation="softmax", middle=(), size=SIZE, channels=3):
    images = keras.Input((*size, channels))
    x = layers.Rescaling(1 / 255)(images)
    for layer in middle:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(images, layers.Dense(output_units, activation=activation)(x))
    model.save("m.h5")
    return model


def ask(photos, class_names=("cats", "dogs")):
    answers = list(
        Predictor(ModelRequest(Path("m.h5"), class_names=class_names)).predict(photos, None)
    )
    return np.array([[a.probabilities[name] for name in class_names] for a in answers])


def refusal(class_names=("cats", "dogs")):
    with pytest.raises(ModelFileError) as error:
        Predictor(ModelRequest(Path("m.h5"), class_names=class_names))
    return str(error.value)


def pixels(photos):
    return np.stack([np.asarray(keras.utils.load_img(path)) for path in photos])


def edit_config(change):
    with h5py.File("m.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)


def test_probabilities_are_those_of_plain_keras(photos):
    inner = keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            layers.Conv2D(4, 3, kernel_regularizer="l2", kernel_constraint="max_norm"),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
        ]
    )
    frozen = layers.Conv2D(4, 3, trainable=False, dtype="mixed_bfloat16")
    middle = (layers.RandomFlip(), inner, frozen, layers.Dropout(0.5), layers.LeakyReLU())
    model = save(middle=middle)
    model.compile("adam", "categorical_crossentropy")
    model.save("m.h5")
    predictor = Predictor(ModelRequest(Path("m.h5"), class_names=["cats", "dogs"]))
    assert predictor.class_names == ("cats", "dogs")
    assert predictor.image_size == SIZE
    assert predictor.metadata is None
    np.testing.assert_allclose(
        ask(photos), model.predict(pixels(photos), verbose=0), rtol=1e-5, atol=1e-6
    )


def test_sequential_model_with_branches_inside_is_admitted(photos):
    images = keras.Input((*SIZE, 3))
    x = layers.SeparableConv2D(4, 3, padding="same")(images)
    x = layers.Concatenate()([layers.Add()([x, layers.Conv2D(4, 1)(images)]), x])
    model = keras.Sequential(
        [keras.Model(images, x), layers.Flatten(), layers.Dense(3), layers.Softmax()]
    )
    model.build((None, *SIZE, 3))
    model.save("m.h5")
    names = ("a", "b", "c")
    np.testing.assert_allclose(
        ask(photos, names), model.predict(pixels(photos), verbose=0), rtol=1e-5
    )


def test_one_sigmoid_unit_is_the_share_of_the_second_class(photos):
    model = save(1, "sigmoid")
    second = model.predict(pixels(photos), verbose=0)
    np.testing.assert_allclose(ask(photos), np.hstack([1 - second, second]), rtol=1e-6)


def test_every_admitted_name_is_of_keras():
    settings = (keras.initializers, keras.regularizers, keras.constraints, keras)
    assert {n for n in ADMITTED_LAYERS if not hasattr(layers, n)} == {
        "Functional",
        "Model",
        "Sequential",
    }
    assert {n for n in ADMITTED_SETTINGS if not any(hasattr(m, n) for m in settings)} == {
        "__keras_tensor__"
    }


def save_with_lambda(wrap=lambda layer: layer):
    mark = str(MARK)
    images = keras.Input((*SIZE, 3))
    x = wrap(layers.Lambda(lambda x: (open(mark, "w").close(), x)[1]))(images)  # noqa: PTH123
    x = layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    keras.Model(images, x).save("m.h5")
    MARK.unlink()


def test_lambda_runs_in_plain_keras_and_never_here():
    save_with_lambda()
    keras.models.load_model("m.h5", compile=False, safe_mode=False)
    assert MARK.exists()  # so the file is the danger it is meant to be
    MARK.unlink()
    assert refusal() == (
        "m.h5 is not opened, because its network has Lambda in it, which is none of the "
        "standard layers: use a model of standard Keras layers alone"
    )
    assert not MARK.exists()


@pytest.mark.parametrize(
    "wrap", [lambda layer: keras.Sequential([layer]), lambda layer: layers.TimeDistributed(layer)]
)
def test_lambda_inside_of_another_is_found(wrap):
    save_with_lambda(wrap)
    assert "is not opened, because its network has" in refusal()
    assert not MARK.exists()


FUNCTION = {"class_name": "function", "module": "os", "config": "system", "registered_name": "x"}


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"class_name": "__lambda__", "config": {"code": "x"}}, "__lambda__"),
        (FUNCTION, "x"),
        ({**FUNCTION, "module": "keras.utils", "config": "get_file"}, "x"),
        ({"class_name": "Zeros", "module": "os", "config": {}}, "Zeros"),
        ({"class_name": "Zeros", "module": None, "config": {}}, "Zeros"),
        ({"class_name": "Zeros", "registered_name": "mine>Zeros", "config": {}}, "mine>Zeros"),
        ({"class_name": ["Zeros"], "config": {}}, "['Zeros']"),
        ({"module": "os", "config": {}}, "None"),
        ({"class_name": "TFSMLayer", "config": {"filepath": "x"}}, "TFSMLayer"),
        ({"class_name": "TorchModuleWrapper", "config": {}}, "TorchModuleWrapper"),
        ({"class_name": "TextVectorization", "config": {"vocabulary": "/etc/passwd"}}, "Text"),
        ({"class_name": "__tuple__", "items": []}, "__tuple__"),
    ],
)
def test_anything_but_admitted_classes_is_refused_wherever_it_stands(setting, named):
    save()
    edit_config(
        lambda config: config["config"]["layers"][-1]["config"].update(
            bias_initializer={"deep": [{"er": setting}]}
        )
    )
    assert refusal().startswith(f"m.h5 is not opened, because its network has {named}")


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(class_name="Dense"),
        lambda config: config.update(class_name="Lambda"),
        lambda config: config.update(config=3),
        lambda config: config["config"].update(layers=3),
        lambda config: config["config"].pop("layers"),
        lambda config: config["config"].update(input_layers=[["none", 0, 0]]),
        lambda config: config["config"]["layers"][1].update(inbound_nodes=[[["dense", 0, 0]]]),
        lambda config: config["config"]["layers"][-1].pop("config"),
        lambda config: config["config"]["layers"][-1]["config"].update(units=-1),
        lambda config: config["config"]["layers"][-1]["config"].update(activation="no such"),
        lambda config: config["config"]["layers"][-1]["config"].update(units=10**12),
        lambda config: config["config"]["layers"][-1]["config"].update(units=10**30),
        lambda config: config["config"]["layers"].extend(config["config"]["layers"] * 2000),
    ],
)
def test_configuration_that_makes_no_sense_is_one_line(change):
    save()
    edit_config(change)
    message = refusal()
    assert message.startswith("m.h5 ")
    assert len(message.splitlines()) == 1
    assert len(message) < 300


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000, "{}", '"x"'])
def test_configuration_that_is_none_is_one_line(text):
    save()
    with h5py.File("m.h5", "r+") as file:
        file.attrs["model_config"] = text
    assert refusal().startswith("m.h5 is damaged (")


def test_weights_that_do_not_fit_the_network_are_refused():
    save()
    edit_config(lambda config: config["config"]["layers"][-1]["config"].update(use_bias=False))
    assert refusal() == (
        "m.h5 is damaged (the weights of layer dense have the shapes 3 x 2, 2 where its network "
        "has 3 x 2): train it again, or give another"
    )


def test_layer_that_blows_a_photo_up_is_refused():
    save(middle=(layers.ZeroPadding2D(2),))
    edit_config(
        lambda config: config["config"]["layers"][2]["config"].update(padding=[[9000] * 2] * 2)
    )
    assert refusal() == (
        "m.h5 would take 7.3 GiB of memory for one photo, more than 1 GiB: "
        "use a model for smaller photos"
    )


@pytest.mark.parametrize(
    ("arguments", "class_names", "message"),
    [
        (
            {"output_units": 3},
            ("cats", "dogs"),
            "m.h5 has 3 outputs, but 2 classes are named: name as many in their order",
        ),
        (
            {"output_units": 1, "activation": "sigmoid"},
            ("a", "b", "c"),
            "m.h5 has 1 output, but 3 classes are named: name as many in their order",
        ),
        (
            {"channels": 1},
            ("cats", "dogs"),
            "m.h5 takes (8, 12, 1): expected one input of RGB photos, (height, width, 3)",
        ),
        (
            {"size": (None, None)},
            ("cats", "dogs"),
            "m.h5 takes photos of any size, so it is not known which one to bring them to: "
            "save it with a fixed one, keras.Input((height, width, 3))",
        ),
        (
            {"size": (4096, 8)},
            ("cats", "dogs"),
            "m.h5 takes photos of 4096 x 8 pixels: expected up to 2048 x 2048",
        ),
    ],
)
def test_networks_that_are_no_classifiers_of_photos_are_refused(arguments, class_names, message):
    save(**arguments)
    assert refusal(class_names) == message


@pytest.mark.parametrize("activation", ["linear", "sigmoid", "tanh"])
def test_outputs_that_are_no_probabilities_are_refused(activation):
    model = save(activation=activation)
    model.layers[-1].set_weights([np.zeros((3, 2)), np.array([3.0, -1.0])])
    model.save("m.h5")
    assert refusal().endswith(
        ", which are no probabilities that sum to 1: "
        "end it in a softmax, or in one sigmoid unit for two classes"
    )


def blow_up_by_uses(images):
    """One layer that is small, used a hundred times, all of which are needed at the end."""
    pad = layers.ZeroPadding2D(300)
    return layers.Add()([pad(images) for _ in range(400)])


def attend(layer):
    def make(images):
        places = layers.Reshape((32_768, 6))(images)
        return layers.Reshape((256, 128, 6))(layer()(places, places))

    return make


def blow_up_inside(images):
    """A network for photos of any size, which alone says nothing about how large it gets."""
    inner = keras.Input((None, None, 3))
    network = keras.Model(inner, layers.ZeroPadding2D(5000)(inner))
    return network(layers.ZeroPadding2D(10)(images))


@pytest.mark.parametrize(
    "make",
    [
        blow_up_by_uses,
        blow_up_inside,
        attend(lambda: layers.MultiHeadAttention(1, 4)),
        attend(lambda: layers.MultiHeadAttention(1, 4, attention_axes=(1,))),
    ],
)
def test_networks_that_make_a_photo_huge_are_refused_whichever_way(make):
    images = keras.Input((256, 256, 3))
    x = layers.GlobalAveragePooling2D()(make(images))
    keras.Model(images, layers.Dense(2, activation="softmax")(x)).save("m.h5")
    assert "GiB of memory for one photo, more than 1 GiB" in refusal()


def test_networks_in_networks_that_would_be_built_for_ever_are_refused():
    config = {"name": "a", "layers": [{"class_name": "InputLayer", "config": {}}]}
    for number in range(30):
        inner = {"class_name": "Functional", "config": config, "inbound_nodes": [[], []]}
        config = {"name": f"a{number}", "layers": [inner]}
    save()
    edit_config(lambda found: found.update(config=config))
    assert "its layers are used more than 20,000 times" in refusal()


def test_inputs_that_are_no_numbers_are_called_so():
    save()

    def take_texts(config):
        config["config"]["layers"][0]["config"]["dtype"] = "string"

    edit_config(take_texts)
    assert refusal() == "m.h5 takes string values: expected numbers, the pixels"


def as_keras2(item):
    """A configuration as Keras 2.12 wrote it, with what has changed since."""
    if isinstance(item, list):
        return [as_keras2(part) for part in item]
    if not isinstance(item, dict):
        return item
    if item.get("class_name") == "DTypePolicy":
        return {"class_name": "Policy", "config": {"name": item["config"]["name"]}}
    dropped = ("module", "registered_name", "build_config", "optional", "quantization_config")
    item = {key: as_keras2(value) for key, value in item.items() if key not in dropped}
    if "class_name" in item:
        item |= {"module": "keras.src.engine", "registered_name": item["class_name"]}
    if "batch_shape" in item:
        item["batch_input_shape"] = item.pop("batch_shape")
    for key in ("input_layers", "output_layers"):
        if key in item and not isinstance(item[key][0], list):
            item[key] = [item[key]]
    if nodes := item.get("inbound_nodes"):
        histories = [node["args"][0]["config"]["keras_history"] for node in nodes]
        item["inbound_nodes"] = [[[*history, {}]] for history in histories]
    if item.get("class_name") == "BatchNormalization":
        item["config"]["axis"] = [item["config"]["axis"]]
        for gone in ("renorm", "virtual_batch_size"):
            item["config"].pop(gone, None)
    if item.get("class_name") == "DepthwiseConv2D":
        item["config"]["groups"] = 1
    return item


def save_as_keras2():
    images = keras.Input((*SIZE, 3))
    x = layers.DepthwiseConv2D(3, activation="relu")(images)
    backbone = keras.Model(images, layers.BatchNormalization()(x))
    head = [layers.LeakyReLU(), layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")]
    model = keras.Sequential([keras.Input((*SIZE, 3)), backbone, *head])
    model.save("m.h5")
    edit_config(lambda config: config.update(as_keras2(config)))
    with h5py.File("m.h5", "r+") as file:
        file.attrs["keras_version"] = "2.12.0"
    return model


def test_networks_of_keras_2_give_their_answers(photos):
    model = save_as_keras2()
    np.testing.assert_allclose(ask(photos), model.predict(pixels(photos), verbose=0), rtol=1e-5)


def test_a_layer_that_keras_2_calls_with_arguments_is_left_to_keras():
    images = keras.Input((*SIZE, 3), name="images")
    model = keras.Model(images, layers.Flatten(name="flat")(images))
    config = as_keras2(json.loads(model.to_json()))
    assert network_from_config(config, {}).outputs == ("flat",)
    config["config"]["layers"][1]["inbound_nodes"][0][0][3]["training"] = True
    with pytest.raises(OtherLayersError, match="called with arguments"):
        network_from_config(config, {})


def test_networks_of_keras_2_that_cannot_be_built_are_called_that():
    save_as_keras2()

    def change(config):
        layer = config["config"]["layers"][2]
        layer["config"]["gone_since"] = 3

    edit_config(change)
    message = refusal()
    assert message.startswith(
        "m.h5 was written by Keras 2.12.0, and its network cannot be built by Keras 3 ("
    )
    assert message.endswith(
        "build that network in Keras 3, fill it by model.load_weights(FILE), "
        "and save it by model.save('NAME.h5')"
    )
    assert message.isprintable()


def test_file_with_weights_alone_says_how_to_save_the_model():
    save().save_weights("w.weights.h5")
    Path("w.weights.h5").rename("m.h5")
    assert refusal() == (
        "m.h5 holds no Keras model, perhaps its weights alone: "
        "save the whole model by model.save('NAME.h5')"
    )


def test_plain_file_without_names_asks_for_them():
    save()
    assert refusal(None) == (
        "m.h5 has no attribute 'catsdogs', so its classes are not known: expected a file "
        "that `catsdogs train` wrote, or, for one of plain Keras, the names of its classes"
    )


@pytest.mark.parametrize(
    ("class_names", "message"),
    [
        (["cats"], "expected two classes or more"),
        (["cats", ""], "expected a name for each class"),
        (["cats", "cats"], "expected names that differ"),
    ],
)
def test_names_that_are_none_are_refused(class_names, message):
    save()
    with pytest.raises(ConfigError) as error:
        Predictor(ModelRequest(Path("m.h5"), class_names=class_names))
    names = ", ".join(class_names)
    assert error.value.key == "class_names"
    assert str(error.value) == f"{names!r} are no classes of a model ({message}): name others"
