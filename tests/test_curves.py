import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from catsdogs.reporting.curves import RunEpochs, curves_png, draw_curves

EPOCHS = [
    {
        "number": number,
        "loss": None if number == 0 else 0.5 / number,
        "accuracy": None if number == 0 else 0.9 + number / 100,
        "validation_loss": 0.6 - number / 10,
        "validation_accuracy": 0.8 + number / 20,
    }
    for number in range(4)
]


def lines_of(axes):
    return {
        line.get_label(): [(float(x), round(float(y), 6)) for x, y in line.get_xydata()]
        for line in axes.lines
        if not line.get_label().startswith("_")
    }


def test_lines_hold_the_epochs_and_the_ring_is_on_the_kept_one():
    (axes,) = draw_curves(Figure(), [RunEpochs("finetune", EPOCHS[1:], 2)], "loss")
    assert lines_of(axes) == {
        "training": [(1, 0.5), (2, 0.25), (3, 0.166667)],
        "validation": [(1, 0.5), (2, 0.4), (3, 0.3)],
        "kept epoch": [(2, 0.4)],
    }


def test_the_start_of_fine_tuning_has_no_training_figure():
    (axes,) = draw_curves(Figure(), [RunEpochs("finetune", EPOCHS, 0)], "accuracy")
    training = lines_of(axes)["training"]
    assert np.isnan(training[0][1])
    assert training[1:] == [(1, 0.91), (2, 0.92), (3, 0.93)]
    assert lines_of(axes)["kept epoch"] == [(0, 0.8)]


@pytest.mark.parametrize("accuracies", [(1, 1), (0, 1), (0, 0), (0.5, 1)])
def test_no_axis_goes_beyond_what_its_quantity_can_be(accuracies):
    epochs = [
        {
            "number": number,
            **dict.fromkeys(("accuracy", "validation_accuracy"), accuracy),
            **dict.fromkeys(("loss", "validation_loss"), 0.0),
        }
        for number, accuracy in enumerate(accuracies, start=1)
    ]
    for quantity in ("accuracy", "loss"):
        (axes,) = draw_curves(Figure(), [RunEpochs("train", epochs, 1)], quantity)
        low, high = axes.get_ylim()
        ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
        assert 0 <= min(ticks) < max(ticks) <= 1


def test_stages_share_one_scale():
    runs = [RunEpochs("train", EPOCHS[1:2], 1), RunEpochs("finetune", EPOCHS, 3)]
    first, second = draw_curves(Figure(), runs, "loss")
    assert first.get_ylim() == second.get_ylim()
    assert [first.get_title(), second.get_title()] == ["train", "finetune"]


def test_the_picture_is_a_png_with_something_on_it():
    image = Image.open(io.BytesIO(curves_png(RunEpochs("a $run$ with \\odd_{name", EPOCHS, 3))))
    assert image.size == (1080, 432)
    assert len(image.convert("RGB").getcolors(100_000)) > 50
