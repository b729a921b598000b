"""Backbones as aligned text."""

from collections.abc import Sequence
from typing import Protocol

from catsdogs.evaluation.score import wilson_interval
from catsdogs.reporting.table import align
from catsdogs.text import printable


class Measured(Protocol):
    """An accuracy."""

    @property
    def num_right(self) -> int: ...
    @property
    def num_photos(self) -> int: ...
    @property
    def how(self) -> str: ...


class Backbone(Protocol):
    """What is known of a backbone; see `catsdogs.commands.backbones`."""

    @property
    def name(self) -> str: ...
    @property
    def image_size(self) -> tuple[int, int]: ...
    @property
    def fit(self) -> str: ...
    @property
    def num_parameters(self) -> int: ...
    @property
    def macs(self) -> int: ...
    @property
    def blocks(self) -> tuple[str, ...]: ...
    @property
    def source(self) -> str: ...
    @property
    def measured(self) -> Measured | None: ...


_HEADER = ("name", "parameters", "multiply-adds", "pixels", "accuracy, 95%")


def format_table(backbones: Sequence[Backbone]) -> list[str]:
    """A header and a line for each, then where the weights come from and what was measured."""
    rows = [_HEADER, *(_row(backbone) for backbone in backbones)]
    width = max(len(each.name) for each in backbones)
    lines = [*align(rows, right=(1, 2)), "", "weights"]
    lines += [f"{each.name:{width}}  {printable(each.source)}" for each in backbones]
    ways = sorted({(m.num_photos, m.how) for each in backbones if (m := each.measured)})
    return [*lines, "", *(f"accuracy on {number:,} photos: {how}" for number, how in ways)]


class Trial(Protocol):
    """What a network gave in cross-validation; see `catsdogs.evaluation.backbone_choice`."""

    @property
    def name(self) -> str: ...
    @property
    def image_size(self) -> tuple[int, int]: ...
    @property
    def multiply_adds(self) -> int: ...
    @property
    def accuracy(self) -> float: ...
    @property
    def interval(self) -> tuple[float, float]: ...
    @property
    def num_photos(self) -> int: ...


def format_trials(trials: Sequence[Trial], chosen: str) -> list[str]:
    """A header and a line for each network, the quickest first; the chosen one is marked."""
    rows = [("network", "multiply-adds", "photos", "cross-validated, 95%, photos")]
    for trial in sorted(trials, key=lambda each: each.multiply_adds):
        height, width = trial.image_size
        low, high = trial.interval
        rows.append(
            (
                trial.name,
                f"{trial.multiply_adds / 1e9:,.2f} G",
                f"{height} x {width}",
                f"{trial.accuracy:.4f} ({low:.4f} to {high:.4f}, {trial.num_photos:,})"
                + ("  chosen" if trial.name == chosen else ""),
            )
        )
    return align(rows, right=(1,))


def _row(backbone: Backbone) -> tuple[str, ...]:
    height, width = backbone.image_size
    accuracy = ""
    if backbone.measured:
        right, total = backbone.measured.num_right, backbone.measured.num_photos
        low, high = wilson_interval(right, total)
        accuracy = f"{right / total:.3f} {low:.3f}-{high:.3f}"
    return (
        backbone.name,
        f"{backbone.num_parameters / 1e6:,.1f} M",
        f"{backbone.macs / 1e9:,.2f} G",
        f"{height if height == width else f'{height} x {width}'}, {backbone.fit}",
        accuracy or "not measured",
    )
