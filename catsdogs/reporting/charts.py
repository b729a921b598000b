"""The figures of a report, as SVG."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from catsdogs.evaluation.coverage import Refusal, RiskCurve
from catsdogs.evaluation.figures import ReliabilityBin
from catsdogs.evaluation.score import wilson_interval
from catsdogs.reporting.curves import (
    KEPT_COLOUR,
    TRAINING_COLOUR,
    VALIDATION_COLOUR,
    Quantity,
    RunEpochs,
    draw_curves,
)
from catsdogs.reporting.svg import inline_svg, page_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = (4.4, 2.9)
"""Inches of 72 pixels: legible on a phone, where a figure is about so wide."""

_MOST_POINTS = 400
"""Of a curve: more are not seen."""

_COLOURS = {TRAINING_COLOUR: "training", VALIDATION_COLOUR: "accent", KEPT_COLOUR: "muted"}


def curves_svg(runs: Sequence[RunEpochs], quantity: Quantity) -> Markup:
    """Loss or accuracy over the epochs of each run, the kept epochs marked."""
    import matplotlib

    with matplotlib.rc_context(page_style()):
        figure = _figure()
        axes = draw_curves(figure, runs, quantity)[0]
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, frameon=False)
        what = "Log loss" if quantity == "loss" else "Accuracy"
        kept = "; ".join(
            f"{run.title}: {len(run.epochs)} epochs, epoch {run.kept_epoch} kept" for run in runs
        )
        label = (
            f"{what} over the epochs, training and validation. {kept}. The table has all values."
        )
        return inline_svg(figure, quantity, label, _COLOURS)


def reliability_svg(bins: Sequence[ReliabilityBin], num_classes: int) -> Markup:
    """Accuracy over confidence, with its interval, above how many photos there are of each."""
    import matplotlib

    with matplotlib.rc_context(page_style()):
        figure = _figure(height=3.6)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        least = 1 / num_classes
        upper.plot([least, 1], [least, 1], color=KEPT_COLOUR, linewidth=1, linestyle=(0, (2, 2)))
        for one in bins:
            low, high = wilson_interval(round(one.accuracy * one.num_photos), one.num_photos)
            upper.plot([one.confidence] * 2, [low, high], color=VALIDATION_COLOUR, linewidth=1.2)
        upper.plot(
            [one.confidence for one in bins],
            [one.accuracy for one in bins],
            color=VALIDATION_COLOUR,
            linestyle="none",
            marker="o",
            markersize=5,
        )
        lower.bar(
            [(one.low + one.high) / 2 for one in bins],
            [one.num_photos for one in bins],
            width=[(one.high - one.low) * 0.85 for one in bins],
            color=VALIDATION_COLOUR,
            alpha=0.55,
        )
        upper.set(ylim=(-0.03, 1.03), ylabel="accuracy")
        upper.yaxis.set_major_formatter("{x:.0%}")
        lower.set(xlabel="probability that the model gave its answer", ylabel="photos")
        lower.xaxis.set_major_formatter("{x:.0%}")
        for axes in (upper, lower):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", linewidth=0.5, alpha=0.25)
        points = ", ".join(
            f"{one.num_photos} photos at {one.confidence:.0%}: {one.accuracy:.0%} right"
            for one in bins
        )
        return inline_svg(figure, "reliability", f"Accuracy over confidence. {points}.", _COLOURS)


def risk_svg(curve: RiskCurve, refusal: Refusal | None) -> Markup:
    """Mistakes among the photos that are answered, over how many are."""
    import matplotlib

    with matplotlib.rc_context(page_style()):
        figure = _figure()
        axes = figure.subplots()
        step = max(1, len(curve.risks) // _MOST_POINTS)
        places = [*range(step - 1, len(curve.risks) - 1, step), len(curve.risks) - 1]
        axes.step(
            [curve.coverages[place] for place in places],
            [curve.risks[place] for place in places],
            where="post",
            color=VALIDATION_COLOUR,
            linewidth=1.4,
        )
        label = f"Mistakes over coverage, ordered by {curve.by}: {curve.risks[-1]:.2%} of all"
        if refusal is not None and refusal.accuracy is not None:
            risk = 1 - refusal.accuracy
            axes.plot([refusal.coverage], [risk], color=VALIDATION_COLOUR, marker="o", markersize=6)
            label += f", {risk:.2%} of the {refusal.coverage:.1%} that are answered"
        axes.set(xlabel="photos that are answered", ylabel="of these, wrong", xlim=(0, 1.02))
        axes.set_ylim(bottom=0, top=max(0.01, 1.15 * max(curve.risks[len(curve.risks) // 20 :])))
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g}%")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", linewidth=0.5, alpha=0.25)
        return inline_svg(figure, "risk", f"{label}.", _COLOURS)


def _figure(height: float = _SIZE[1]) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(_SIZE[0], height), layout="constrained")
