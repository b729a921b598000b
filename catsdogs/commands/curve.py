"""`catsdogs curve`: accuracy against the number of photos, and what more of them should give."""

from dataclasses import dataclass
from pathlib import Path

from catsdogs.commands.backbone_choice import backbones_to_compare, choose_backbone
from catsdogs.commands.training_steps import read_photos
from catsdogs.config import Config
from catsdogs.console import Console
from catsdogs.files import PICTURE_MARK, check_writable, replacing
from catsdogs.reporting.curve_picture import curve_png
from catsdogs.training.learning_curve import (
    SHARES,
    CurvePoint,
    PowerLaw,
    fit_power_law,
    learning_curve,
)
from catsdogs.training.stored_features import photo_features

NUM_FOLDS = 5
"""Where the configuration does not say."""


@dataclass(frozen=True)
class CurveResult:
    """What more photos gave.

    Attributes:
        points: one for each share of the photos, the smallest first.
        law: what goes on beyond them; None where they are too few.
        picture_path: where the picture is; None: nowhere.
    """

    points: list[CurvePoint]
    law: PowerLaw | None
    picture_path: Path | None


def curve(config: Config, console: Console, picture_path: Path | None = None) -> CurveResult:
    """Cross-validate logistic heads on growing shares of the photos.

    Args:
        config: photos, backbone and class weights; `train.folds`.
        console: where progress is shown.
        picture_path: a PNG to draw; None draws none.

    Raises:
        CatsdogsError: photos, weights, configuration or output cannot be used.
    """
    if picture_path is not None:
        check_writable(picture_path, ending=".png", mark=PICTURE_MARK.encode())
    backbones_to_compare(config)
    dataset = read_photos(config, console, as_one=True)
    config, _ = choose_backbone(config, dataset, console)
    photos = photo_features(config, dataset, console)
    num_folds = config.train.folds or NUM_FOLDS
    with console.task("solving", num_folds * len(SHARES), what="heads") as task:
        points = learning_curve(
            photos,
            num_folds,
            config.head.class_weights == "balanced",
            task.advance,
        )
    law = fit_power_law(points)
    if picture_path is not None:
        with replacing(picture_path) as part:
            part.write_bytes(curve_png(points, law))
    return CurveResult(points, law, picture_path)
