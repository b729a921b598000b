"""What training changes in a compiled model, as plain arrays: to go back to, or to keep."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from catsdogs.errors import CatsdogsError

if TYPE_CHECKING:  # what a solved head leaves is plain arrays from the start
    import keras

Values = list[np.ndarray]
"""The values of a list of variables, in its order."""


class StateError(CatsdogsError):
    """A state does not fit the model."""


@dataclass(frozen=True)
class ModelState:
    """A model at the end of an epoch. The weights of frozen layers do not change, and are left out.

    Attributes:
        weights: of the layers that are trained, the statistics of their batches included.
        optimizer: the optimizer's step count, rate, moments, loss scale.
        seeds: of the generators that dropout draws from.
    """

    weights: Values
    optimizer: Values = field(default_factory=list)
    seeds: Values = field(default_factory=list)

    @classmethod
    def of(cls, model: "keras.Model") -> "ModelState":
        """Copy the state of a compiled model."""
        import keras

        return cls(
            *(
                [np.array(keras.ops.convert_to_numpy(v)) for v in group]
                for group in _variables(model)
            )
        )

    def restore(self, model: "keras.Model") -> None:
        """Give a compiled model of the same architecture this state.

        Raises:
            StateError: the model has another architecture.
        """
        groups = _variables(model)
        values = (self.weights, self.optimizer, self.seeds)
        shapes = [[tuple(variable.shape) for variable in group] for group in groups]
        if shapes != [[value.shape for value in group] for group in values]:
            raise StateError("it is of another network or optimizer")
        for group, its_values in zip(groups, values, strict=True):
            for variable, value in zip(group, its_values, strict=True):
                variable.assign(value)


def trained_weights(model: "keras.Model") -> "list[keras.Variable]":
    """What changes while a model is trained: besides what is learned, statistics of batches."""
    return [weight for layer in model.layers if layer.trainable for weight in layer.weights]


def _variables(model: "keras.Model") -> "tuple[list[keras.Variable], ...]":
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    weights = {id(variable) for variable in model.weights}
    return (
        trained_weights(model),
        model.optimizer.variables,
        [variable for variable in model.variables if id(variable) not in weights],
    )
