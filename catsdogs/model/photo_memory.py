"""How much memory a network takes for one photo, found out from shapes alone."""

import math
from dataclasses import dataclass
from typing import Any

import keras

_BYTES_A_VALUE = 4
"""Half precision is computed in float32 on CPUs."""


@dataclass(frozen=True)
class _Step:
    """One use of one layer. Attributes: the tensors that go in and come out, and its scratch."""

    inputs: list[keras.KerasTensor]
    outputs: list[keras.KerasTensor]
    scratch_bytes: int


def memory_per_photo(model: keras.Model, size: tuple[int, int]) -> int:
    """Bytes that are in use at once, at most, while a network answers for one photo.

    Every use of every layer counts, also those of networks inside of it, with what a layer
    makes on the way. A tensor counts until its last use; what has none counts to the end.

    Args:
        model: raw RGB `(n, height, width, 3)` to anything; built, its weights are not needed.
        size: height and width of a photo.
    """
    steps: list[_Step] = []

    def call(layer: keras.layers.Layer, *arguments: Any, **options: Any) -> Any:
        if isinstance(layer, keras.Sequential):
            values = arguments[0]
            for inner in layer.layers:
                values = call(inner, values)
            return values
        if isinstance(layer, keras.Model):
            return _trace(layer, arguments[0], call)
        outputs = layer(*arguments, **options)
        inputs = _tensors((arguments, options))
        steps.append(_Step(inputs, _tensors(outputs), _scratch_bytes(layer, inputs, outputs)))
        return outputs

    call(model, keras.Input(batch_shape=(1, *size, 3), dtype=model.inputs[0].dtype))
    return _peak(steps)


def _trace(model: keras.Model, inputs: Any, call: Any) -> Any:
    """Lead tensors through a network, each use of a layer by `call`; what comes out."""
    # what `keras.models.clone_model` does; its own clones are cut off from the outer network
    return model._run_through_graph(
        keras.tree.pack_sequence_as(model.input, keras.tree.flatten(inputs)),
        operation_fn=lambda layer: layer,
        call_fn=call,
    )


def _tensors(values: Any) -> list[keras.KerasTensor]:
    return [v for v in keras.tree.flatten(values) if isinstance(v, keras.KerasTensor)]


def _num_bytes(tensor: keras.KerasTensor) -> int:
    return _BYTES_A_VALUE * math.prod(tensor.shape)


def _scratch_bytes(layer: keras.layers.Layer, inputs: list[keras.KerasTensor], outputs: Any) -> int:
    """What a layer makes on the way: mostly as much as comes out, before its activation."""
    made = sum(_num_bytes(tensor) for tensor in _tensors(outputs))
    match layer:
        case keras.layers.MultiHeadAttention():
            places = [math.prod(tensor.shape[1:-1]) for tensor in inputs[:2]]
            settings = layer.get_config()
            scores = 2 * settings["num_heads"] * places[0] * places[-1]
            projected = (
                3
                * settings["num_heads"]
                * max(places)
                * (settings["key_dim"] + (settings["value_dim"] or settings["key_dim"]))
            )
            return made + _BYTES_A_VALUE * (scores + projected)
        case keras.layers.Attention():
            places = [math.prod(tensor.shape[1:-1]) for tensor in inputs[:2]]
            return made + 2 * _BYTES_A_VALUE * places[0] * places[-1]
        case keras.layers.SeparableConv2D():
            channels = inputs[0].shape[-1] * layer.depth_multiplier
            rows, columns = outputs.shape[1:3]
            return made + _BYTES_A_VALUE * channels * rows * columns
    return made


def _peak(steps: list[_Step]) -> int:
    last_use = {id(tensor): number for number, step in enumerate(steps) for tensor in step.inputs}
    live: dict[int, int] = {}
    peak = 0
    for number, step in enumerate(steps):
        live |= {id(tensor): _num_bytes(tensor) for tensor in (*step.inputs, *step.outputs)}
        peak = max(peak, sum(live.values()) + step.scratch_bytes)
        for tensor in step.inputs:
            if last_use[id(tensor)] == number:
                live.pop(id(tensor), None)
    return peak
