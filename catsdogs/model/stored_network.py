"""A network for weights that are stored in a file: built only once it is known to fit them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import keras

from catsdogs.untrusted.hdf5 import StoredLayer, read_array


def build_and_read(
    build: Callable[[], keras.Model],
    stored: Sequence[StoredLayer],
    check: Callable[[keras.Model], None] = lambda _: None,
) -> keras.Model:
    """Build a network and read its weights as numbers.

    It is built twice. The first one has shapes but no memory: what a file says about its
    network can ask for more than any machine has, so that is compared with the arrays that
    are really there before any of it is made.

    Args:
        build: makes the network; called twice, must give the same.
        stored: its layers with weights, in the network's order, as `stored_layers` gives them.
        check: raises where something else about the network is wrong.

    Returns:
        The network, with the stored weights.

    Raises:
        ValueError: it cannot be built, or the arrays do not fit it; the message says where.
    """
    outline = _outline(build)
    check(outline)
    _compare(outline, stored)
    model = build()
    for layer, of_layer in zip(_layers_with_weights(model), stored, strict=True):
        for variable, array in zip(_variables(layer), of_layer.arrays, strict=True):
            variable.assign(read_array(array))
    return model


def _outline(build: Callable[[], keras.Model]) -> keras.Model:
    """The network with variables that have shapes but no values.

    Keras notes such variables in order to fill them later, but does so for each thread: this
    one ends and takes its notes with it.
    """

    def build_without_values() -> keras.Model:
        with keras.StatelessScope(initialize_variables=False):
            return build()

    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(build_without_values)
    error = building.exception()  # any: Keras meets a stranger's configuration here
    if error is not None:
        raise ValueError(f"its network cannot be built: {error}") from None
    return building.result()


def _compare(model: keras.Model, stored: Sequence[StoredLayer]) -> None:
    layers = _layers_with_weights(model)
    if len(layers) != len(stored):
        raise ValueError(
            f"its network has {len(layers)} layers with weights, {len(stored)} are stored"
        )
    for layer, of_layer in zip(layers, stored, strict=True):
        expected = [tuple(variable.shape) for variable in _variables(layer)]
        if expected != of_layer.shapes:
            raise ValueError(
                f"the weights of layer {layer.name} have the shapes {_text(of_layer.shapes)} "
                f"where its network has {_text(expected)}"
            )


def _text(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(" x ".join(map(str, shape)) or "one number" for shape in shapes) or "none"


def _layers_with_weights(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if layer.weights]


def _variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """The variables of a layer, in the order in which Keras writes them to .h5 files."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]
