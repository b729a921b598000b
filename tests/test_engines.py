"""What ncnn computes, held against Keras and against the definition of each layer."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from catsdogs.errors import ConfigError
from catsdogs.model.keras_config import OtherLayersError, network_of
from catsdogs.model.predictor import ModelRequest, Predictor
from catsdogs.network import device, precision
from catsdogs.network.engines import choice
from catsdogs.network.engines.choice import FEW_PHOTOS, choose_engine
from catsdogs.network.engines.ncnn_engine import NcnnEngine
from tests.numpy_network import compute
from tests.test_network import every_kind, with_random_weights

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(3).integers(0, 256, (7, 32, 32, 3), np.uint8)


def mobile_model():
    """What mobile networks are made of, in Keras, with statistics as after a training."""
    images = keras.Input((32, 32, 3), name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    x = keras.layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = keras.layers.BatchNormalization(scale=False)(x)
    x = shortcut = keras.layers.ReLU(6.0)(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization(center=False, epsilon=1e-5)(x)
    x = keras.layers.Activation("relu6")(x)
    x = keras.layers.Conv2D(8, 1, use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Add()([shortcut, x])
    x = keras.layers.Conv2D(16, 5, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.AveragePooling2D(3, 2, padding="same")(x)
    x = keras.layers.Concatenate()(
        [keras.layers.GlobalAveragePooling2D()(x), keras.layers.Flatten()(x)]
    )
    x = keras.layers.Dropout(0.5)(x)
    model = keras.Model(images, keras.layers.Dense(2, activation="softmax")(x))
    random = np.random.default_rng(0)
    for layer in model.layers:
        weights = [random.normal(0, 0.1, w.shape) for w in layer.get_weights()]
        if isinstance(layer, keras.layers.BatchNormalization):
            weights = [np.abs(w) + 0.5 for w in weights]
        layer.set_weights(weights)
    return model


def test_every_layer_is_computed_as_it_is_defined():
    network = with_random_weights(every_kind())
    image = np.random.default_rng(1).integers(0, 256, network.input.shape, np.uint8)
    names = [layer.name for layer in network.layers[1:]]
    expected = compute(network.up_to(*names), image)
    got = NcnnEngine(network.up_to(*names)).outputs(image[None])
    for name, wanted, [found] in zip(names, expected, got, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4, err_msg=name)
    for name, wanted in zip(names, expected, strict=True):  # alone, where more is folded away
        [[found]] = NcnnEngine(network.up_to(name)).outputs(image[None])
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4, err_msg=name)


def test_keras_networks_are_translated_and_answer_the_same():
    model = mobile_model()
    expected = np.asarray(model(IMAGES.astype(np.float32)))
    assert 0.01 < expected.min() < 0.99
    [got] = NcnnEngine(network_of(model)).outputs(IMAGES)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_networks_with_other_layers_are_left_to_keras():
    images = keras.Input((8, 8, 3))
    others = [
        keras.layers.LayerNormalization(),
        keras.layers.Conv2D(2, 3, dilation_rate=2),
        keras.layers.Conv2D(2, 3, activation="gelu"),
        keras.layers.BatchNormalization(axis=1),
        keras.layers.ReLU(max_value=4.0),
        keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
    ]
    for layer in others:
        with pytest.raises(OtherLayersError):
            network_of(keras.Model(images, layer(images)))


def test_answers_are_those_of_keras_in_float32(unsure_model, tmp_path, make_photos):
    paths = make_photos(tmp_path / "photos", 9, size=(40, 50))
    by_ncnn = list(Predictor(ModelRequest(unsure_model, engine="ncnn")).predict(paths))
    by_keras = list(Predictor(ModelRequest(unsure_model, "float32", engine="keras")).predict(paths))
    for ours, theirs in zip(by_ncnn, by_keras, strict=True):
        assert ours.path == theirs.path
        assert ours.class_name == theirs.class_name
        assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-3)
    assert len({answer.probabilities["cats"] for answer in by_ncnn}) == 9


def test_an_answer_does_not_depend_on_its_neighbours_to_the_last_digit():
    engine = NcnnEngine(network_of(mobile_model()), num_threads=3)
    [together] = engine.outputs(IMAGES)
    [turned] = engine.outputs(IMAGES[::-1])
    assert np.array_equal(together, turned[::-1])
    for image, row in zip(IMAGES, together, strict=True):
        assert np.array_equal(engine.outputs(image[None])[0][0], row)


def test_several_threads_may_ask_one_engine_at_once():
    engine = NcnnEngine(network_of(mobile_model()), num_threads=2)
    [expected] = engine.outputs(IMAGES)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: engine.outputs(IMAGES.copy())[0], range(20)))
    assert all(np.array_equal(answer, expected) for answer in answers)


def test_photos_may_be_files_bytes_pictures_or_arrays(unsure_model, tmp_path, make_photos):
    from PIL import Image

    [path] = make_photos(tmp_path / "photos", 1, size=(40, 50))
    predictor = Predictor(ModelRequest(unsure_model, engine="ncnn"))
    [expected] = predictor.predict([path])
    picture = Image.open(path)
    forms = [path, str(path), path.read_bytes(), picture, np.asarray(picture)]
    answers = list(predictor.answer(forms))
    assert [answer.probabilities for answer in answers] == [expected.probabilities] * 5
    [bad] = predictor.answer([np.zeros((4, 4), np.uint8)])
    assert bad.error == "an array of uint8 (4, 4): expected uint8 (height, width, 3), RGB"


BACKENDS_IMPORTED = (
    "print([m for m in ('keras', 'tensorflow', 'jax', 'torch') if m in sys.modules])"
)


@pytest.mark.parametrize("command", ["predict", "evaluate", "compare", "explain"])
def test_answers_by_ncnn_import_neither_keras_nor_tensorflow(command, make_model, class_folders):
    model = make_model(class_folders / "m.h5")
    arguments = {
        "predict": ["predict", str(class_folders), f"--model={model}"],
        "evaluate": ["evaluate", str(class_folders), f"--model={model}"],
        "compare": ["compare", str(model), str(model), str(class_folders)],
        "explain": ["explain", str(next(class_folders.rglob("*.png"))), f"--model={model}"],
    }[command]
    code = (
        "import sys; from catsdogs.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: print(end.code)\n"
    ) + BACKENDS_IMPORTED
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--engine", "ncnn"],
        cwd=class_folders,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-2:] == ["0", "[]"], done.stderr


@pytest.mark.parametrize("name", ["report", "evaluate", "compare", "explain", "predict"])
def test_commands_that_only_ask_a_model_are_imported_without_keras(name):
    code = f"import sys, catsdogs.commands.{name}\n{BACKENDS_IMPORTED}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_python_api_answers_by_ncnn_without_keras(make_model, class_folders):
    model = make_model(class_folders / "m.h5")
    photo = next(class_folders.rglob("*.png"))
    code = (
        "import sys, catsdogs\n"
        "model = catsdogs.load(sys.argv[1], engine='ncnn')\n"
        "model.predict(sys.argv[2]); model.evaluate(sys.argv[3]); model.explain(sys.argv[2])\n"
    ) + BACKENDS_IMPORTED
    done = subprocess.run(
        [sys.executable, "-c", code, str(model), str(photo), str(class_folders)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("flags", "arguments", "expected"),
    [
        ("avx2", {}, "ncnn"),
        ("avx512_bf16", {}, "ncnn"),
        ("avx512_bf16 amx_bf16", {}, "keras"),
        ("amx_bf16", {"num_photos": FEW_PHOTOS}, "ncnn"),
        ("amx_bf16", {"num_photos": FEW_PHOTOS + 1}, "keras"),
        ("amx_bf16", {"precision": "float32"}, "ncnn"),
        ("avx2", {"precision": "bfloat16"}, "keras"),
        ("avx2", {"setting": "keras"}, "keras"),
        ("amx_bf16", {"setting": "ncnn"}, "ncnn"),
    ],
)
def test_engine_follows_the_machine_and_the_configuration(monkeypatch, flags, arguments, expected):
    monkeypatch.setattr(choice, "cpu_flags", lambda: set(flags.split()))
    monkeypatch.setattr(choice, "backend_name", lambda: "tensorflow")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert choose_engine(**arguments).name == expected


@pytest.mark.parametrize(
    ("vendor", "flags", "expected"),
    [
        ("AuthenticAMD", "avx512_bf16", "bfloat16"),
        ("GenuineIntel", "avx512_bf16", "float32"),  # slower in bfloat16, where AMX is hidden
        ("GenuineIntel", "avx512_bf16 amx_bf16", "bfloat16"),
        ("AuthenticAMD", "avx2", "float32"),
    ],
)
def test_precision_is_what_the_processor_is_quicker_in(monkeypatch, vendor, flags, expected):
    monkeypatch.setattr(device, "cpuinfo", lambda: f"vendor_id : {vendor}\nflags : {flags}\n")
    monkeypatch.setattr(precision, "backend_name", lambda: "tensorflow")
    monkeypatch.setattr(precision, "gpu_compute_capability", lambda: None)
    assert precision.choose_precision("auto").name == expected


def test_another_backend_is_asked_for_to_compute(monkeypatch):
    monkeypatch.setattr(choice, "backend_name", lambda: "jax")
    assert choose_engine().name == "keras"
    assert choose_engine(num_photos=1).reason == "KERAS_BACKEND is jax"


def test_without_ncnn_keras_computes_and_one_line_says_so(
    monkeypatch, unsure_model, make_photos, tmp_path, call
):
    monkeypatch.setitem(sys.modules, "ncnn", None)
    [path] = make_photos(tmp_path / "photos", 1)
    result = call("predict", path, "--model", unsure_model, "--engine", "ncnn")
    assert result.stderr == (
        "warning: ncnn cannot be imported, so Keras computes, which takes longer: "
        "run `pip install ncnn`\n"
    )
    assert result.stdout.startswith(f"{path}\t")


def test_ncnn_in_another_precision_is_refused():
    with pytest.raises(ConfigError, match="engine ncnn computes in float32 alone"):
        choose_engine("ncnn", "bfloat16")
