"""Loss and accuracy over epochs, as figures. Matplotlib is imported where a figure is drawn."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from catsdogs.run import RunDir
from catsdogs.training.run_listener import RunListener

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from catsdogs.training.history import History

TRAINING_COLOUR, VALIDATION_COLOUR, KEPT_COLOUR = "#b7791f", "#0f766e", "#6b7280"

_MOST_MARKED_EPOCHS = 30
"""With more, dots on the lines would run together."""


@dataclass(frozen=True)
class RunEpochs:
    """The epochs of one run.

    Attributes:
        title: what was trained.
        epochs: `number`, `loss`, `accuracy`, `validation_loss` and `validation_accuracy` of
            each; None where there is no figure.
        kept_epoch: the one whose weights were saved.
    """

    title: str
    epochs: Sequence[Mapping[str, float | None]]
    kept_epoch: int


Quantity = Literal["loss", "accuracy"]


def draw_curves(
    figure: "Figure | SubFigure", runs: Sequence[RunEpochs], quantity: Quantity
) -> "list[Axes]":
    """Draw one quantity over the epochs, a panel a run, all on the same scale.

    Args:
        figure: an empty (sub)figure.
        runs: one or more, in their order.
        quantity: which one.
    """
    from matplotlib.ticker import PercentFormatter

    widths = [max(2, len(run.epochs)) for run in runs]
    panels: list[Axes] = list(
        figure.subplots(1, len(runs), sharey=True, width_ratios=widths, squeeze=False)[0]
    )
    for axes, run in zip(panels, runs, strict=True):
        _draw_run(axes, run, quantity)
        axes.set_title(run.title if len(runs) > 1 else "")
    panels[0].set_ylabel("log loss (nats)" if quantity == "loss" else "accuracy")
    _keep_within(panels[0], 1.0 if quantity == "accuracy" else None)
    if quantity == "accuracy":
        panels[0].yaxis.set_major_formatter(PercentFormatter(1))
    return panels


def _keep_within(axes: "Axes", most: float | None) -> None:
    """Let the vertical axis end where its quantity does: at 0 and at most at `most`.

    A hair beyond, so that a point on the edge is seen and no tick is.
    """
    bottom, top = axes.get_ylim()
    hair = 0.02 * (top - bottom)
    axes.set_ylim(max(bottom, -hair), top if most is None else min(top, most + hair))


def _draw_run(axes: "Axes", run: RunEpochs, quantity: Quantity) -> None:
    from matplotlib.ticker import MaxNLocator

    few = len(run.epochs) <= _MOST_MARKED_EPOCHS
    numbers = [_value(epoch["number"]) for epoch in run.epochs]
    axes.axvline(run.kept_epoch, color=KEPT_COLOUR, linewidth=1, linestyle=(0, (2, 2)), zorder=1)
    for key, colour, label in (
        (quantity, TRAINING_COLOUR, "training"),
        (f"validation_{quantity}", VALIDATION_COLOUR, "validation"),
    ):
        values = [_value(epoch[key]) for epoch in run.epochs]
        marker: dict[str, Any] = {"marker": "o", "markersize": 4} if few else {}
        axes.plot(numbers, values, color=colour, label=label, linewidth=1.8, **marker)
    for epoch in run.epochs:
        if epoch["number"] == run.kept_epoch:
            axes.plot(
                [run.kept_epoch],
                [_value(epoch[f"validation_{quantity}"])],
                color=VALIDATION_COLOUR,
                label="kept epoch",
                linestyle="none",
                marker="o",
                markersize=9,
                markerfacecolor="none",
                markeredgewidth=1.5,
            )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    if len(run.epochs) == 1:
        axes.set_xticks([run.kept_epoch])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.5, alpha=0.4)


def _value(figure: float | None) -> float:
    return math.nan if figure is None else figure


class CurvesPicture(RunListener):
    """Leaves the curves of a run of several epochs in its directory at its end."""

    def begin(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir

    def finish(self, history: "History") -> None:
        if len(history.epochs) < 2:  # no curve, and nothing that the record does not say
            return
        rows = [asdict(epoch) for epoch in history.epochs]
        run = RunEpochs(self._run_dir.path.name, rows, history.kept.number)
        self._run_dir.write_curves(curves_png(run))


def curves_png(run: RunEpochs) -> bytes:
    """Loss and accuracy of one run side by side, as a PNG on white."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    left, right = cast("tuple[SubFigure, SubFigure]", figure.subfigures(1, 2))
    draw_curves(left, [run], "loss")
    (axes,) = draw_curves(right, [run], "accuracy")
    handles, labels = axes.get_legend_handles_labels()
    figure.suptitle(run.title, fontsize=11, parse_math=False)
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
