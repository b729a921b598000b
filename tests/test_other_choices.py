"""What `train` says where a default was taken and something else does better."""

import pytest

from catsdogs.commands.other_choices import note_on_backbone, note_on_head
from catsdogs.config_file import load_config

BOTH = ["vgg16", "efficientnet_lite0"]


def test_a_much_lighter_network_that_is_here_is_named():
    assert note_on_backbone(load_config(None), 200, BOTH) == (
        "efficientnet_lite0 is here, too: 3% of vgg16's work for a photo, and no worse where both "
        'were measured; model.backbone = "auto" lets these photos tell'
    )


@pytest.mark.parametrize(
    ("overrides", "num_photos", "available"),
    [
        ({"model.backbone": "vgg16"}, 2000, BOTH),
        ({"model.backbone": "efficientnet_lite0"}, 2000, BOTH),
        ({"model.backbone": "auto"}, 2000, BOTH),
        ({"model.weights": "random"}, 2000, BOTH),
        ({}, 199, BOTH),
        ({}, 2000, ["vgg16"]),
    ],
)
def test_no_network_is_named_where_one_was_chosen_or_nothing_is_gained(
    overrides, num_photos, available
):
    assert note_on_backbone(load_config(None, overrides), num_photos, available) == ""


def test_few_photos_a_class_are_better_not_held_back():
    assert note_on_head(load_config(None), 296, 37) == (
        '8 photos a class are few: with head.kind = "logistic" and train.folds = 5 all are trained '
        "on, and the accuracy is over all of them"
    )


@pytest.mark.parametrize(
    ("overrides", "num_trained"),
    [
        ({"head.kind": "dense"}, 74),
        ({"head.kind": "logistic"}, 74),
        ({"data.subsample": 20}, 74),
        ({}, 50 * 37),
    ],
)
def test_no_head_is_named_where_one_was_chosen_or_classes_are_large(overrides, num_trained):
    assert note_on_head(load_config(None, overrides), num_trained, 37) == ""
