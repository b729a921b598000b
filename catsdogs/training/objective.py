"""What Keras minimises and measures: the log loss of logits, weighed by class and by photo."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras

LOG_LOSS = "log_loss"
"""Name of the log loss among the figures of an epoch."""


def compile_for(
    model: keras.Model, learning_rate: float, class_weights: Sequence[float] = ()
) -> None:
    """Give a model Adam, the loss and the metrics; its output is taken for logits.

    Args:
        model: what is trained.
        learning_rate: of Adam.
        class_weights: what a photo of each class weighs in the loss and in the log loss; empty:
            all the same.
    """
    optimizer: keras.optimizers.Optimizer = keras.optimizers.Adam(learning_rate)
    if any(layer.compute_dtype == "float16" for layer in model.layers if layer.trainable_variables):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)  # float16 gradients underflow
    # The mean over the rows that count: Keras' own divides by those that fill a batch up, too,
    # and its running loss weighs batches by them. Hence the loss as a metric as well.
    log_losses = _LogLosses(class_weights)
    log_loss = keras.metrics.MeanMetricWrapper(log_losses.call, LOG_LOSS)
    accuracy = keras.metrics.MeanMetricWrapper(_are_right, "accuracy")
    model.compile(optimizer, loss=log_losses, weighted_metrics=[accuracy, log_loss])


def _parts(targets: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor | None]:
    """Labels int32 `(n,)`, and what each photo counts for; None: all the same."""
    if len(targets.shape) == 2 and targets.shape[1] == 2:
        return keras.ops.cast(targets[:, 0], "int32"), targets[:, 1]
    return keras.ops.reshape(keras.ops.cast(targets, "int32"), (-1,)), None


def _are_right(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """1 for each photo whose class has the highest logit, 0 for the others, whatever they weigh."""
    labels, _ = _parts(targets)
    return keras.metrics.sparse_categorical_accuracy(labels, logits)


class _LogLosses(keras.losses.Loss):
    """The log loss of each photo from its logits, weighed by its class and by itself."""

    def __init__(self, class_weights: Sequence[float]) -> None:
        super().__init__(name=LOG_LOSS, reduction="mean_with_sample_weight")
        self._class_weights = tuple(class_weights)

    def call(self, targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        labels, weights = _parts(targets)
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        if weights is not None:
            losses = losses * keras.ops.cast(weights, losses.dtype)
        if not self._class_weights:
            return losses
        of_classes = keras.ops.convert_to_tensor(self._class_weights, losses.dtype)
        return losses * keras.ops.take(of_classes, labels)


@contextmanager
def giving_logits(model: keras.Model) -> Iterator[None]:
    """Leave out the softmax at the end of a model while it is trained and validated.

    From probabilities, Keras computes the loss no further than 1e-7, and no gradient beyond
    (on TensorFlow alone it finds the logits behind them by itself).
    """
    last = model.layers[-1]
    softmax, last.activation = last.activation, keras.activations.linear
    try:
        yield
    finally:
        last.activation = softmax
