"""The list of layers: shapes, counts, cuts, and the same network with fewer layers."""

import numpy as np
import pytest

from catsdogs.network.folding import fold
from catsdogs.network.layers import (
    Activation,
    Add,
    AveragePooling,
    BatchNormalization,
    Concatenate,
    Convolution,
    Dense,
    DepthwiseConvolution,
    Dropout,
    Flatten,
    GlobalAveragePooling,
    GlobalMaxPooling,
    Input,
    MaxPooling,
    Pads,
    Rescaling,
    ZeroPadding,
)
from catsdogs.network.network import Network
from tests.numpy_network import compute


def with_random_weights(network, seed=0):
    """Weights of a size that keeps values near 1; variances are positive."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shapes in network.weight_shapes.items():
        arrays = [random.normal(0, 0.4, shape).astype(np.float32) for shape in shapes]
        if isinstance(network.layer(name), BatchNormalization):
            arrays[3] = np.abs(arrays[3]) + 0.5
        weights[name] = tuple(arrays)
    return network.with_weights(weights)


def every_kind(size=(12, 9)):
    """A network with every kind of layer, as mobile networks have them."""
    same = {"size": (3, 3), "padding": "same"}
    layers = (
        Input("images", (), (*size, 3)),
        Rescaling("preprocess", ("images",), (1 / 128,), (-1.0, -0.9, -0.8)),
        ZeroPadding("pad", ("preprocess",), Pads(0, 1, 2, 1)),
        Convolution("stem", ("pad",), (3, 3), (2, 2), "valid", 8, use_bias=False),
        BatchNormalization("stem_bn", ("stem",)),
        Activation("stem_relu", ("stem_bn",), "relu6"),
        DepthwiseConvolution("depthwise", ("stem_relu",), **same, use_bias=False),
        BatchNormalization("depthwise_bn", ("depthwise",), 1e-5),
        Activation("depthwise_relu", ("depthwise_bn",), "relu6"),
        Convolution("project", ("depthwise_relu",), (1, 1), filters=8, use_bias=False),
        BatchNormalization("project_bn", ("project",)),
        Add("add", ("stem_relu", "project_bn")),
        BatchNormalization("alone_bn", ("add",)),
        MaxPooling("max", ("alone_bn",), (3, 3), (2, 2), "same"),
        AveragePooling("mean", ("alone_bn",), (3, 3), (2, 2), "same"),
        Concatenate("both", ("max", "mean")),
        Convolution("top", ("both",), (3, 3), (1, 1), "same", 6, activation="relu"),
        GlobalAveragePooling("pooled_mean", ("top",)),
        GlobalMaxPooling("pooled_max", ("top",)),
        Flatten("flat", ("top",)),
        Concatenate("features", ("pooled_mean", "pooled_max", "flat")),
        Dense("dense", ("features",), 7, activation="relu"),
        Dropout("dropout", ("dense",)),
        Dense("logits", ("dropout",), 3, use_bias=False),
        Activation("probabilities", ("logits",), "softmax"),
    )
    return Network(layers)


def photo(network, seed=1):
    return np.random.default_rng(seed).integers(0, 256, network.input.shape).astype(np.float32)


def test_shapes_are_known_without_weights():
    shapes = every_kind().shapes
    assert shapes["pad"] == (13, 12, 3)
    assert shapes["stem"] == (6, 5, 8)
    assert shapes["max"] == (3, 3, 8)
    assert shapes["both"] == (3, 3, 16)
    assert shapes["features"] == (6 + 6 + 3 * 3 * 6,)
    assert every_kind().output_shapes == [(3,)]


def test_parameters_and_multiply_adds_are_those_of_a_small_network_counted_by_hand():
    network = Network(
        (
            Input("images", (), (4, 6, 3)),
            Convolution("conv", ("images",), (3, 3), padding="same", filters=5),
            BatchNormalization("bn", ("conv",)),
            GlobalAveragePooling("pooling", ("bn",)),
            Dense("dense", ("pooling",), 2),
        )
    )
    assert network.num_parameters == 3 * 3 * 3 * 5 + 5 + 4 * 5 + 5 * 2 + 2
    assert network.multiply_adds == 4 * 6 * 3 * 3 * 3 * 5 + 5 * 2
    # convolution and normalisation at once, float32
    assert network.bytes_per_photo == 4 * (2 * 4 * 6 * 5)


@pytest.mark.parametrize(
    ("length", "size", "stride", "expected"),
    [(8, 3, 1, (1, 1)), (8, 3, 2, (0, 1)), (9, 3, 2, (1, 1)), (8, 2, 2, (0, 0)), (7, 5, 2, (2, 2))],
)
def test_same_puts_the_odd_row_after_as_tensorflow_does(length, size, stride, expected):
    layer = Convolution("conv", ("x",), (size, 1), (stride, 1), "same")
    assert layer.pads((length, 1, 3))[:2] == expected


def test_folded_network_computes_the_same_with_fewer_kinds_of_layers():
    network = with_random_weights(every_kind())
    folded = fold(network)
    kinds = {type(layer).__name__ for layer in folded.layers}
    assert kinds.isdisjoint({"BatchNormalization", "Dropout", "ZeroPadding"})
    assert folded.outputs == ("probabilities",)
    assert "stem_relu" in folded.shapes
    assert "stem" not in folded.shapes
    [expected], [got] = compute(network, photo(network)), compute(folded, photo(network))
    assert got == pytest.approx(expected, rel=1e-5)


def test_what_is_asked_for_is_not_folded_away():
    network = with_random_weights(every_kind()).up_to("stem", "add")
    folded = fold(network)
    assert folded.outputs == ("stem", "add")
    for expected, got in zip(
        compute(network, photo(network)), compute(folded, photo(network)), strict=True
    ):
        assert got == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_trunk_and_tail_make_the_whole():
    network = with_random_weights(every_kind())
    [features] = compute(network.up_to("add"), photo(network))
    [answer] = compute(network.above("add"), features)
    assert answer == pytest.approx(compute(network, photo(network))[0])
    trunk, tail = network.up_to("add"), network.above("add")
    assert trunk.num_parameters + tail.num_parameters == network.num_parameters
    assert trunk.multiply_adds + tail.multiply_adds == network.multiply_adds


def test_cut_that_a_shortcut_goes_round_is_refused():
    with pytest.raises(ValueError, match="cannot be cut at project_bn: add goes round it"):
        every_kind().above("project_bn")


def test_fingerprint_follows_layers_and_weights():
    network = with_random_weights(every_kind())
    assert network.fingerprint() == with_random_weights(every_kind()).fingerprint()
    assert network.fingerprint() != with_random_weights(every_kind(), seed=1).fingerprint()
    assert network.fingerprint() != network.up_to("features").fingerprint()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((Dense("a", ("b",), 1),), "begins with its input"),
        ((Input("x", (), (3,)), Dense("a", ("b",), 1)), "takes b, which does not come before"),
        ((Input("x", (), (3,)), Dense("x", ("x",), 1)), "two layers are called x"),
        ((Input("x", (), (3, 3, 1)), Dense("a", ("x",), 1)), "takes a row of numbers"),
        ((Input("x", (), (2, 2, 1)), MaxPooling("a", ("x",), (3, 3))), "larger than its input"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        Network(layers)


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="the weights of dense have the shapes"):
        every_kind().with_weights({"dense": (np.zeros((2, 2), np.float32),)})
