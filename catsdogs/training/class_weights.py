"""What the photos of a class weigh in a loss, so that small classes are not drowned."""

import numpy as np


def balanced_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """What a photo of each class weighs where all classes weigh the same together.

    Args:
        labels: int `(n,)`, indices of classes.
        num_classes: how many there are.

    Returns:
        float64 `(classes,)`; their mean over the photos is 1; 0 for a class without photos.
    """
    counts = np.bincount(labels, minlength=num_classes)
    present = int((counts > 0).sum())
    return np.where(counts > 0, len(labels) / (present * np.maximum(counts, 1)), 0.0)
