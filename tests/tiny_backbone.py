"""A backbone of two convolutions, for tests of everything around a network.

VGG16's 59 MB of random weights take seconds to be drawn, hashed, handed over and written, in each
test anew. Where the network itself does not matter, this one is trained and asked instead: it is
built, cut, saved and computed by the same code. `python tests/tiny_backbone.py` is `catsdogs` in
a process of its own that knows it.
"""

import sys

from catsdogs.errors import WeightsError
from catsdogs.network import backbones
from catsdogs.network.backbones.layered import LayeredBackbone, LayerStack
from catsdogs.network.layers import Convolution, MaxPooling, Rescaling
from catsdogs.network.weights import Weights


class _TinyBackbone(LayeredBackbone):
    """See `Backbone`."""

    def load_weights(self, setting, seed=0):
        if setting != "random":
            raise WeightsError(f"{self.name} has random weights alone, got {setting!r}")
        return Weights(self.random_layers(seed), "random", "")

    def find_weights(self):
        return None

    def describe_source(self):
        return "none: its weights are drawn"


def _build():
    net, blocks = LayerStack(), {}
    net.add(Rescaling, "preprocess", scale=(1 / 128,), offset=(-1.0,))
    for block, filters in (("block1", 8), ("block2", 32)):
        blocks[block] = net.top
        net.add(
            Convolution,
            f"{block}_conv",
            filters=filters,
            size=(3, 3),
            padding="same",
            activation="relu",
        )
        net.add(MaxPooling, f"{block}_pool", size=(2, 2), strides=(2, 2))
    return tuple(net.layers), blocks


_BODY, _CUT_POINTS = _build()

TINY = _TinyBackbone(
    name="tiny",
    body=_BODY,
    cut_points=_CUT_POINTS,
    finetuned_block="block2",
    explained_layer="block2_conv",
    minimum_size=32,
    bytes_per_pixel=4 * 8 * 4,
)

COMMAND = [sys.executable, __file__]
"""`catsdogs` in a process of its own, in which `model.backbone=tiny` is known."""

KNOWN_BACKBONES = backbones._BACKBONES

if __name__ == "__main__":
    from catsdogs.__main__ import run

    KNOWN_BACKBONES[TINY.name] = TINY
    run()
