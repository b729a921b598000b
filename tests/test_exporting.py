"""Files for other runtimes: each answers as the network does by the definition of its layers."""

import json

import numpy as np
import pytest
from PIL import Image

from catsdogs.data.framing import fit_to
from catsdogs.exporting.onnx import INPUT_NAME, onnx_model, properties_of
from catsdogs.exporting.stored_weights import rounded_network, store_array
from catsdogs.network import layers as kinds
from catsdogs.network.folding import fold
from catsdogs.network.network import Network
from tests.numpy_network import compute

SIZE = (24, 20)


@pytest.fixture(scope="module")
def network():
    """A small network with every layer that a file may hold."""
    layers = (
        kinds.Input("images", (), (*SIZE, 3)),
        kinds.Rescaling("scaled", ("images",), (1 / 128,), (-1.0, -0.9, -1.1)),
        kinds.ZeroPadding("padded", ("scaled",), kinds.Pads(1, 1, 1, 1)),
        kinds.Convolution("stem", ("padded",), (3, 3), (2, 2), filters=8, use_bias=False),
        kinds.BatchNormalization("stem_bn", ("stem",)),
        kinds.Activation("stem_relu6", ("stem_bn",), "relu6"),
        kinds.DepthwiseConvolution(
            "deep", ("stem_relu6",), (3, 3), padding="same", activation="relu"
        ),
        kinds.Convolution("back", ("deep",), (1, 1), filters=8),
        kinds.Add("sum", ("back", "stem_relu6")),
        kinds.Activation("sum_relu", ("sum",), "relu"),
        kinds.AveragePooling("mean", ("sum_relu",), (2, 2), (2, 2)),
        kinds.MaxPooling("most", ("sum_relu",), (2, 2), (2, 2)),
        kinds.Concatenate("joined", ("mean", "most")),
        kinds.Convolution(
            "down", ("joined",), (3, 3), (2, 2), padding="same", filters=6, activation="sigmoid"
        ),
        kinds.Flatten("flat", ("down",)),
        kinds.Dropout("dropout", ("flat",)),
        kinds.Dense("probabilities", ("dropout",), 3, activation="softmax"),
    )
    generator = np.random.default_rng(0)
    empty = Network(layers)
    weights = {
        name: tuple(generator.uniform(0.2, 0.8, shape).astype(np.float32) - 0.4 for shape in shapes)
        for name, shapes in empty.weight_shapes.items()
    }
    weights["stem_bn"] = tuple(np.abs(array) + 0.5 for array in weights["stem_bn"])
    return fold(empty.with_weights(weights))


@pytest.fixture(scope="module")
def photos():
    return np.random.default_rng(1).integers(0, 256, (4, *SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def expected(network, photos):
    return np.array([compute(network, photo)[0] for photo in photos])


def answers_of(model, images):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {INPUT_NAME: images})[0]


def test_onnx_answers_as_the_network_does(network, photos, expected):
    answers = answers_of(onnx_model(network, fit=None), photos)
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_onnx_in_halves_is_the_rounded_network(network, photos):
    rounded = rounded_network(network, "float16")
    expected = [compute(rounded, photo)[0] for photo in photos]
    answers = answers_of(onnx_model(network, fit=None, half_weights=True), photos)
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def picture(width, height):
    """Large even fields, so that filters of different make agree."""
    rows, columns = np.mgrid[:height, :width]
    red = 255 * (rows > height // 2)
    return np.dstack([red, 255 * (columns > width // 3), np.full_like(red, 90)]).astype(np.uint8)


def pixels_of(fit, image):
    """What reaches the network in an ONNX file, for one photo: uint8 `(*SIZE, 3)`."""
    as_they_are = fold(
        Network(
            (
                kinds.Input("images", (), (*SIZE, 3)),
                kinds.Flatten("flat", ("images",)),
            )
        )
    )
    values = answers_of(onnx_model(as_they_are, fit), image[None])
    return values.reshape(*SIZE, 3)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("shape", [(113, 71), (40, 90), (24, 24)])
def test_onnx_brings_photos_to_their_size_as_training_does(fit, shape):
    image = picture(*shape)
    expected = fit_to(Image.fromarray(image), SIZE, fit).astype(np.float32)
    difference = np.abs(pixels_of(fit, image) - expected)
    assert difference.max() <= 3
    assert difference.mean() < 0.2


def test_onnx_says_what_it_is(network):
    model = onnx_model(
        network, "stretch", properties=properties_of(["Füchse", "b", "c"], "Apache-2.0", run="7")
    )
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(said["class_names"]) == ["Füchse", "b", "c"]
    assert said["licence"] == "Apache-2.0"
    assert said["run"] == "7"
    assert [entry.version for entry in model.opset_import] == [18]


def test_int8_has_a_scale_for_each_output_channel():
    kernel = np.array([[1.0, 100.0], [-0.5, 50.0]], np.float32)
    stored = store_array(kernel, "int8", -1)
    assert stored.values.tolist() == [[127, 127], [-64, 64]]
    np.testing.assert_allclose(stored.decoded, kernel, atol=100 / 254)
    depthwise = np.arange(18, dtype=np.float32).reshape(3, 3, 2, 1)
    np.testing.assert_allclose(store_array(depthwise, "int8", 2).decoded, depthwise, atol=17 / 254)


def test_halves_have_no_infinite_weights(network, photos):
    kernel = np.array([[1e6, -1e6, 0.5]], np.float32)
    assert store_array(kernel, "float16", -1).decoded.tolist() == [[65504, -65504, 0.5]]
    last, bias = network.weights["probabilities"]
    large = network.with_weights({**network.weights, "probabilities": (last * 1e6, bias)})
    assert np.isfinite(answers_of(onnx_model(large, None, half_weights=True), photos)).all()


def test_channel_of_zeros_stays_zero():
    stored = store_array(np.zeros((3, 2), np.float32), "int8", -1)
    assert stored.decoded.tolist() == [[0, 0]] * 3


@pytest.fixture(scope="module")
def litert():
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter

    def answers(content, images):
        model = interpreter(model_content=content)
        model.allocate_tensors()
        (takes,), (gives,) = model.get_input_details(), model.get_output_details()
        rows = []
        for image in images:
            model.set_tensor(takes["index"], image[None])
            model.invoke()
            rows.append(model.get_tensor(gives["index"])[0])
        return np.array(rows)

    return answers


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-5), ("float16", 2e-3), ("int8", 0.1)]
)
def test_litert_answers_as_the_network_does(
    network, photos, expected, litert, precision, tolerance
):
    from catsdogs.exporting.litert import litert_model

    content = litert_model(network, precision, photos)
    np.testing.assert_allclose(litert(content, photos), expected, atol=tolerance)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_saved_model_brings_photos_to_their_size(network, tmp_path, fit):
    import tensorflow as tf

    from catsdogs.exporting.saved_model import write_saved_model

    write_saved_model(tmp_path / "saved", network, fit, ("a", "b", "c"))
    serve = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    image = picture(113, 71)
    answer = serve(images=tf.constant(image[None]))
    assert [name.decode() for name in answer["class_names"].numpy()] == ["a", "b", "c"]
    same = answers_of(onnx_model(network, fit), image[None])
    np.testing.assert_allclose(answer["probabilities"].numpy(), same, atol=0.01)
