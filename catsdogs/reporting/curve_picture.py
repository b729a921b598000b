"""A learning curve as a table and as a picture."""

import io
from collections.abc import Sequence
from pathlib import Path

from catsdogs.files import PICTURE_MARK
from catsdogs.reporting.table import align
from catsdogs.text import counted, printable
from catsdogs.training.learning_curve import CurvePoint, PowerLaw


def curve_lines(
    points: Sequence[CurvePoint], law: PowerLaw | None, picture_path: Path | None = None
) -> list[str]:
    """A line for each point, what twice as many photos should give, and where the picture is."""
    rows = [("trained on", "accuracy", "95% interval", "fit")]
    for point in points:
        low, high = point.interval
        fitted = f"{law.accuracy(point.num_training):.4f}" if law else "-"
        rows.append(
            (
                f"{point.num_training:,}",
                f"{point.accuracy:.4f}",
                f"{low:.4f} to {high:.4f}",
                fitted,
            )
        )
    lines = align(rows, right=(0, 1, 2, 3))
    photos = counted(points[-1].num_photos, "photo")
    lines.append(f"each accuracy over {photos}, by heads that had not seen them")
    if law is None:
        lines.append("too few photos to say what more of them would give")
    else:
        twice = 2 * points[-1].num_training
        low, high = law.interval(twice)
        lines.append(
            f"twice as many photos, {twice:,}, should give {law.accuracy(twice):.4f} "
            f"({low:.4f} to {high:.4f}), if it goes on like this"
        )
    return [*lines, f"saved {printable(str(picture_path))}"] if picture_path else lines


def curve_png(points: Sequence[CurvePoint], law: PowerLaw | None) -> bytes:
    """Accuracy over the number of photos, with intervals, the fit drawn on to twice as many."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

    figure = Figure(figsize=(6.4, 4), dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    numbers = [point.num_training for point in points]
    accuracies = np.array([point.accuracy for point in points])
    bounds = np.array([point.interval for point in points])
    axes.errorbar(
        numbers,
        accuracies,
        yerr=np.abs(bounds.T - accuracies),
        color="#0f766e",
        marker="o",
        capsize=3,
        linestyle="none",
        label="measured, with 95% interval",
    )
    ticks = list(numbers)
    if law is not None:
        along = np.geomspace(numbers[0], 2 * numbers[-1], 60)
        fitted = [law.accuracy(number) for number in along]
        spread = np.array([law.interval(number) for number in along])
        axes.plot(along, fitted, color="#b7791f", label="fit, to twice as many photos")
        axes.fill_between(along, *spread.T, color="#b7791f", alpha=0.15, linewidth=0)
        ticks.append(2 * numbers[-1])
    axes.set(xscale="log", xlabel="photos trained on", ylabel="accuracy")
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(axis="y", linewidth=0.5, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": PICTURE_MARK})
    return buffer.getvalue()
