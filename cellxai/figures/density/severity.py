"""From which severity on a corruption is noticed: AUROC against severity, by detector."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from cellxai.figures.colours import GREY, SERIES
from cellxai.figures.style import drawing, shorten

COLUMNS = 4


@dataclass(frozen=True)
class SeverityScore:
    """One detector on one corruption at one severity.

    Args:
        detector: Name of the detector.
        corruption: Name of the corruption.
        severity: How strong; any increasing scale.
        auroc: Area under the ROC curve against the unchanged images.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    detector: str
    corruption: str
    severity: float
    auroc: float
    low: float
    high: float


def draw_severity(scores: Sequence[SeverityScore], path: Path, accent: Sequence[str] = ()) -> None:
    """Draws a panel per corruption, in it a curve per detector.

    Args:
        scores: Scores in any order.
        path: The PNG to write.
        accent: Detectors in colour and with their interval, at most six; the others are thin and
            grey. Without any, the first six are.

    Raises:
        ValueError: If there is no score.
    """
    if not scores:
        raise ValueError(f"{path}: no score by severity to draw, expected at least one")
    detectors = list(dict.fromkeys(score.detector for score in scores))
    coloured = [name for name in detectors if name in accent or not accent][: len(SERIES)]
    corruptions = list(dict.fromkeys(score.corruption for score in scores))
    rows = ceil(len(corruptions) / COLUMNS)
    columns = ceil(len(corruptions) / rows)
    with drawing(path, max(2.4 * columns, 5.2), 2.1 * rows + 0.9) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes, name in zip(grid.ravel(), corruptions, strict=False):
            of_corruption = [score for score in scores if score.corruption == name]
            for detector in sorted(detectors, key=lambda name: name in coloured):
                curve = [score for score in of_corruption if score.detector == detector]
                _draw_curve(axes, curve, coloured)
            axes.set_title(shorten(name, 26))
        _frame(grid, scores, len(corruptions))
        if len(coloured) < len(detectors):
            grid[0, 0].plot([], [], color=GREY, linewidth=0.8, label="other detectors")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        figure.supylabel("AUROC against unchanged images", fontsize=9)


def _draw_curve(axes: Axes, scores: Sequence[SeverityScore], coloured: Sequence[str]) -> None:
    if not scores:
        return
    ordered = sorted(scores, key=lambda score: score.severity)
    x, y = [score.severity for score in ordered], [score.auroc for score in ordered]
    name = ordered[0].detector
    if name not in coloured:
        axes.plot(x, y, color=GREY, linewidth=0.8, alpha=0.6)
        return
    colour = SERIES[coloured.index(name)]
    low, high = [score.low for score in ordered], [score.high for score in ordered]
    axes.fill_between(x, low, high, color=colour, alpha=0.14, linewidth=0)
    axes.plot(x, y, "o-", color=colour, markersize=3.5, label=shorten(name, 28))


def _frame(grid: np.ndarray, scores: Sequence[SeverityScore], n_panels: int) -> None:
    lowest = min((score.low for score in scores if np.isfinite(score.low)), default=0.0)
    for number, axes in enumerate(grid.ravel()):
        axes.set_visible(number < n_panels)
        axes.set_xlabel("severity" if number + grid.shape[1] >= n_panels else "")
        axes.axhline(0.5, color=GREY, linewidth=1, linestyle=":")
        axes.set_ylim(min(0.42, lowest - 0.03), 1.03)
        steps = sorted({score.severity for score in scores})
        axes.set_xticks(steps if len(steps) <= 6 else steps[:: ceil(len(steps) / 6)])
