"""ROC and precision-recall curves, each class against the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from cellxai.figures.style import GREY, INK, SERIES, drawing, short

MOST_NAMED = 12  # more curves have no room in a legend, and are drawn thin and unnamed


@dataclass(frozen=True)
class Curve:
    """One class against the rest, or the mean of all.

    Args:
        name: Of the class; ``macro`` for the mean.
        false_positive_rate: Of each operating point.
        recall: Likewise.
        precision: Likewise; ``None`` for the mean, which has an ROC curve alone.
        auroc: Area under the ROC curve.
        average_precision: Area under the other.
        prevalence: Share of the images of this class: the precision of a guess.
        problem: Why there is no curve; empty where there is one.
    """

    name: str
    false_positive_rate: Float[np.ndarray, " m"]
    recall: Float[np.ndarray, " m"]
    precision: Float[np.ndarray, " m"] | None
    auroc: float | None
    average_precision: float | None
    prevalence: float | None = None
    problem: str = ""


def draw_roc(curves: Sequence[Curve], path: Path, part: str) -> None:
    """Draws both kinds of curve side by side; a class without one is named in the title.

    Args:
        curves: Of every class, then the mean.
        path: The PNG to write.
        part: Which images these are, for the title.
    """
    with drawing(path, 9.6, 4.9) as figure:
        roc, precision = figure.subplots(1, 2)
        drawn = [curve for curve in curves if not curve.problem]
        named = len(drawn) <= MOST_NAMED
        for number, curve in enumerate(drawn):
            style = line_style(curve, number, named)
            label = legend_line(curve.name, curve.auroc)
            roc.plot(curve.false_positive_rate, curve.recall, label=label, **style)
            _precision(precision, curve, style)
        roc.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", zorder=1)
        _frame(roc, "ROC, AUROC in the legend", "false positive rate", "recall (true positives)")
        guess = "recall (dotted: what a guess scores, the share of the class)"
        _frame(
            precision, "Precision and recall, average precision in the legend", guess, "precision"
        )
        for axes in (roc, precision):
            if named and drawn:
                axes.legend(loc="lower right" if axes is roc else "lower left")
        figure.suptitle(headline(curves, part), fontsize=10)


def headline(curves: Sequence[Curve], part: str) -> str:
    """What is drawn, and which classes have no curve."""
    missing = [f"{short(curve.name)} ({curve.problem})" for curve in curves if curve.problem]
    told = f"\nno curve: {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}"
    return f"{part}: each class against the rest" + (told if missing else "")


def line_style(curve: Curve, number: int, named: bool) -> dict[str, object]:
    """The mean in ink and thick, a class in its colour."""
    if curve.name == "macro" and curve.precision is None:
        return {"color": INK, "linewidth": 2.2, "linestyle": "--", "zorder": 4}
    return {"color": SERIES[number % len(SERIES)], "linewidth": 1.8 if named else 0.8}


def legend_line(name: str, area: float | None) -> str:
    """``astro 0.987``."""
    return f"{short(name)} {area:.3f}" if area is not None else short(name)


def _precision(axes: Axes, curve: Curve, style: dict[str, object]) -> None:
    label = legend_line(curve.name, curve.average_precision)
    if curve.precision is None:
        axes.plot([], [], label=label, **style)  # type: ignore[arg-type]
        return
    # A step: between two thresholds there is no classifier that has both.
    axes.step(curve.recall, curve.precision, where="pre", label=label, **style)  # type: ignore
    if curve.prevalence is not None:
        faint = {"color": style["color"], "linewidth": 0.8, "linestyle": ":", "zorder": 1}
        axes.axhline(curve.prevalence, **faint)  # type: ignore[arg-type]


def _frame(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel, xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
