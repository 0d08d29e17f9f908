"""ROC and precision-recall curves, each class against the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from cellxai.figures.colours import GREY, INK, SERIES
from cellxai.figures.style import drawing, shorten

MOST_NAMED = 12  # more curves have no room in a legend, and are drawn thin and unnamed


@dataclass(frozen=True)
class Curve:
    """One class against the rest, or the mean of all.

    Args:
        name: The class; ``macro`` for the mean.
        false_positive_rate: At each operating point.
        recall: At each operating point.
        precision: At each operating point; ``None`` for the mean, which has only an ROC curve.
        auroc: Area under the ROC curve.
        average_precision: Area under the precision-recall curve.
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
        curves: Those of every class, then the mean.
        path: The PNG to write.
        part: Which images these are, for the title.
    """
    with drawing(path, 9.6, 4.9) as figure:
        roc, precision = figure.subplots(1, 2)
        drawn = [curve for curve in curves if not curve.problem]
        with_names = len(drawn) <= MOST_NAMED
        for number, curve in enumerate(drawn):
            style = line_style(curve, number, with_names)
            label = legend_line(curve.name, curve.auroc)
            roc.plot(curve.false_positive_rate, curve.recall, label=label, **style)
            _draw_precision(precision, curve, style)
        roc.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", zorder=1)
        _label_axes(
            roc, "ROC, AUROC in the legend", "false positive rate", "recall (true positives)"
        )
        guess = "recall (dotted: what a guess scores, the share of the class)"
        _label_axes(
            precision, "Precision and recall, average precision in the legend", guess, "precision"
        )
        for axes in (roc, precision):
            if with_names and drawn:
                axes.legend(loc="lower right" if axes is roc else "lower left")
        figure.suptitle(headline(curves, part), fontsize=10)


def headline(curves: Sequence[Curve], part: str) -> str:
    """Title: what is drawn, and which classes have no curve."""
    missing = [f"{shorten(curve.name)} ({curve.problem})" for curve in curves if curve.problem]
    note = f"\nno curve: {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}"
    return f"{part}: each class against the rest" + (note if missing else "")


def line_style(curve: Curve, number: int, with_names: bool) -> dict[str, object]:
    """The mean in ink and thick, a class in its colour."""
    if curve.name == "macro" and curve.precision is None:
        return {"color": INK, "linewidth": 2.2, "linestyle": "--", "zorder": 4}
    return {"color": SERIES[number % len(SERIES)], "linewidth": 1.8 if with_names else 0.8}


def legend_line(name: str, area: float | None) -> str:
    """``astro 0.987``."""
    return f"{shorten(name)} {area:.3f}" if area is not None else shorten(name)


def _draw_precision(axes: Axes, curve: Curve, style: dict[str, object]) -> None:
    label = legend_line(curve.name, curve.average_precision)
    if curve.precision is None:
        axes.plot([], [], label=label, **style)  # type: ignore[arg-type]
        return
    # A step: between two thresholds there is no classifier that has both.
    axes.step(curve.recall, curve.precision, where="pre", label=label, **style)  # type: ignore
    if curve.prevalence is not None:
        faint = {"color": style["color"], "linewidth": 0.8, "linestyle": ":", "zorder": 1}
        axes.axhline(curve.prevalence, **faint)  # type: ignore[arg-type]


def _label_axes(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel, xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
