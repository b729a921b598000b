"""`catsdogs backbones`: what there is to stand on, and what each has been measured to give."""

from dataclasses import dataclass

from catsdogs.config import ModelConfig
from catsdogs.network.backbones import backbone_names, get_backbone
from catsdogs.network.backbones.measured import MEASURED, Measurement


@dataclass(frozen=True)
class BackboneRow:
    """What is known of a backbone.

    Attributes:
        name: as in `model.backbone`.
        image_size: height and width in pixels that it takes by default.
        fit: how photos are brought to that by default.
        num_parameters: numbers in its weights.
        macs: multiply-adds for a photo of that size.
        blocks: that can be fine-tuned, from the photo upwards.
        source: where its weights would come from.
        measured: accuracy, where it has been measured; None elsewhere.
    """

    name: str
    image_size: tuple[int, int]
    fit: str
    num_parameters: int
    macs: int
    blocks: tuple[str, ...]
    source: str
    measured: Measurement | None


def backbones() -> list[BackboneRow]:
    """All backbones, the default first."""
    return [_describe(name) for name in backbone_names()]


def _describe(name: str) -> BackboneRow:
    backbone, model = get_backbone(name), ModelConfig(backbone=name)
    return BackboneRow(
        name=name,
        image_size=model.image_size,
        fit=model.fit,
        num_parameters=backbone.num_parameters,
        macs=backbone.macs(model.image_size),
        blocks=tuple(backbone.cut_points),
        source=backbone.describe_source(),
        measured=MEASURED.get(name),
    )
