import dataclasses
import functools
import hashlib
import http.server
import importlib
import math
import threading

import keras
import numpy as np
import pytest

from catsdogs.errors import WeightsError
from catsdogs.network.backbones import get_backbone
from catsdogs.network.backbones.keras_applications import KERAS_BACKBONES
from catsdogs.network.backbones.keras_rebuilding import draw_weights

pytestmark = pytest.mark.slow

FLOAT32 = keras.DTypePolicy("float32")
NAMES = [backbone.name for backbone in KERAS_BACKBONES]


def build(backbone, size):
    images = keras.Input((*size, 3))
    model = keras.Model(images, backbone.build(images, FLOAT32))
    for name, arrays in backbone.load_weights("random", seed=3).layers.items():
        model.get_layer(name).set_weights(arrays)
    return model


@pytest.mark.parametrize("name", NAMES)
def test_network_is_keras_own_with_its_preprocessing_inside(name):
    backbone = get_backbone(name)
    size = (max(64, backbone.minimum_size), max(64, backbone.minimum_size))
    theirs = getattr(keras.applications, backbone.application)(
        include_top=False, weights=None, input_shape=(*size, 3)
    )
    draw_weights(theirs, 3)
    images = np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype(np.float32)
    module = {"ResNet50V2": "resnet_v2", "Xception": "xception"}.get(backbone.application)
    prepared = images.copy()
    if module:
        prepared = getattr(keras.applications, module).preprocess_input(prepared)
    # as `predict` gives it, without the seconds in which that compiles a graph for two photos
    expected = keras.ops.convert_to_numpy(theirs(prepared, training=False))
    assert np.ptp(expected) > 1e-3
    found = keras.ops.convert_to_numpy(build(backbone, size)(images, training=False))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
def test_multiply_adds_are_those_of_its_convolutions(name):
    backbone = get_backbone(name)
    size = (backbone.native_side, backbone.native_side)
    images = keras.Input((*size, 3))
    with keras.StatelessScope(initialize_variables=False):
        model = keras.Model(images, backbone.build(images, FLOAT32))
    counted = 0
    for layer in model.layers:
        kernels = [weight.shape for weight in layer.weights if "kernel" in weight.name]
        places = layer.output.shape[1:-1] if kernels else ()
        counted += math.prod(places) * sum(math.prod(shape) for shape in kernels)
    assert backbone.macs(size) == counted


def test_hashes_are_those_that_keras_publishes():
    published = set()
    for module in ("efficientnet_v2", "convnext", "mobilenet_v3", "resnet"):
        source = importlib.import_module(f"keras.src.applications.{module}")
        published |= {no_top for _, no_top in source.WEIGHTS_HASHES.values()}
    digests = {backbone.name: backbone.file.digest for backbone in KERAS_BACKBONES}
    assert digests.pop("xception") == "b0042744bf5b25fce3cb969f33bebb97"  # inside its function
    assert set(digests.values()) <= published


@pytest.fixture
def server(tmp_path):
    """A folder, and the address under which its files are served."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def served(backbone, url, content):
    """The same backbone, its file published under another address with the hash of `content`."""
    file = dataclasses.replace(
        backbone.file,
        url=f"{url}/{backbone.file.name}",
        digest=hashlib.sha256(content).hexdigest(),
    )
    return dataclasses.replace(backbone, file=file)


def test_weights_are_downloaded_checked_and_kept(server, tmp_path, monkeypatch):
    folder, url = server
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    backbone = get_backbone("mobilenet_v3_large")
    theirs = keras.applications.MobileNetV3Large(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    draw_weights(theirs, 5)
    path = folder / backbone.file.name
    theirs.save(path)
    backbone = served(backbone, url, path.read_bytes())
    assert "none on this machine" in backbone.describe_source()
    loaded = backbone.load_weights("auto")
    assert loaded.source == "Keras' download"
    expected = backbone.load_weights("random", seed=5).layers
    assert loaded.layers.keys() == expected.keys()
    for name, arrays in expected.items():
        for one, other in zip(arrays, loaded.layers[name], strict=True):
            np.testing.assert_array_equal(one, other)
    path.unlink()
    assert backbone.load_weights("auto").source == "Keras' file"
    assert backbone.describe_source() == f"Keras' file {backbone.file.path}"


@pytest.mark.parametrize("content", [b"tiny", b""])
def test_other_content_than_published_is_refused_and_not_kept(
    server, tmp_path, monkeypatch, content
):
    folder, url = server
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    backbone = served(get_backbone("xception"), url, b"what was published")
    (folder / backbone.file.name).write_bytes(content)
    with pytest.raises(WeightsError, match="gave a damaged file: set"):
        backbone.load_weights("auto")
    assert list((tmp_path / "keras" / "models").iterdir()) == []


def test_unreachable_server_is_one_line_that_names_the_way_out(server, tmp_path, monkeypatch):
    _, url = server
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    backbone = served(get_backbone("resnet50_v2"), url, b"")
    with pytest.raises(WeightsError) as error:
        backbone.load_weights("auto")
    assert str(error.value) == (
        f"no ImageNet weights on this machine, and {backbone.file.url} cannot be fetched "
        f"(File not found): set model.weights to the path of {backbone.file.name}"
    )


def test_given_file_of_another_network_is_refused(tmp_path):
    path = tmp_path / "other.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(path)
    with pytest.raises(WeightsError) as error:
        get_backbone("resnet50_v2").load_weights(str(path))
    assert f"{path} is no file of resnet50_v2 (it has 1 layers with weights" in str(error.value)
    path.write_bytes(b"no HDF5")
    with pytest.raises(WeightsError, match="is no file of resnet50_v2"):
        get_backbone("resnet50_v2").load_weights(str(path))
