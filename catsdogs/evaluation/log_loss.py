"""Logits, scores before a softmax, as probabilities and as losses; of any size."""

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits `(n, classes)` as probabilities of the same shape; each row sums to 1."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def log_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The log loss of each photo, in nats, `(n,)`, from logits `(n, classes)`."""
    return log_sum_exp(logits) - logits[np.arange(len(labels)), labels]


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the softmax of logits `(n, classes)`."""
    return logits - log_sum_exp(logits)[:, None]


def log_sum_exp(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the sums that a softmax divides by, `(n,)`, from logits `(n, classes)`."""
    highest = logits.max(axis=1)
    return highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
