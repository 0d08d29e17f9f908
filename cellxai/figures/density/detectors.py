"""Detectors of unfamiliar images side by side: their AUROC on every set, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from cellxai.figures.colours import BLUE, GREY, INK
from cellxai.figures.style import drawing, shorten

COLUMNS = 4
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST_SETS = 24  # six rows of panels


@dataclass(frozen=True)
class DetectorScore:
    """One detector on one set of unfamiliar images.

    Args:
        detector: Name of the detector.
        set: Name of the set.
        auroc: Area under the ROC curve, unfamiliar being positive.
        low: Lower end of its interval.
        high: Upper end.
    """

    detector: str
    set: str
    auroc: float
    low: float
    high: float


def draw_detectors(scores: Sequence[DetectorScore], path: Path, accent: Sequence[str] = ()) -> None:
    """Draws a panel per set, in it a row per detector with its AUROC and interval.

    Args:
        scores: Scores in any order; detectors are sorted by their mean over all sets, the best
            on top.
        path: The PNG to write.
        accent: Detectors in colour, such as that in use; the others are grey.

    Raises:
        ValueError: If there is no score.
    """
    if not scores:
        raise ValueError(f"{path}: no score of a detector to draw, expected at least one")
    names, sets = rank_detectors(scores), list(dict.fromkeys(score.set for score in scores))
    shown = sets[:MOST_SETS]
    rows = ceil(len(shown) / COLUMNS)
    columns = ceil(len(shown) / rows)
    width = max(1.6 + 2.6 * columns, 6.4)
    with drawing(path, width, rows * (0.24 * len(names) + 0.5) + 0.75) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        _frame(grid, names, scores, len(shown))
        for axes, name in zip(grid.ravel(), shown, strict=False):
            _draw_set(axes, [score for score in scores if score.set == name], names, accent)
            axes.set_title(shorten(name, 26))
        figure.supxlabel("AUROC, unfamiliar against known images  (dotted: by chance)", fontsize=9)
        if len(shown) < len(sets):
            figure.suptitle(f"The first {len(shown)} of {len(sets)} sets")


def rank_detectors(scores: Sequence[DetectorScore]) -> list[str]:
    """Detectors by mean AUROC over the sets, the best first; a missing score does not count."""
    names = dict.fromkeys(score.detector for score in scores)

    def mean(name: str) -> float:
        areas = [s.auroc for s in scores if s.detector == name and isfinite(s.auroc)]
        return sum(areas) / len(areas) if areas else -1.0

    return sorted(names, key=mean, reverse=True)


def _draw_set(
    axes: Axes, scores: Sequence[DetectorScore], names: Sequence[str], accent: Sequence[str]
) -> None:
    axes.axvline(0.5, color=GREY, linewidth=1, linestyle=":")
    for score in scores:
        row, used = names.index(score.detector), score.detector in accent
        colour = BLUE if used else INK
        style: dict[str, Any] = {"color": colour, "alpha": 1.0 if used or not accent else 0.55}
        axes.plot([score.low, score.high], [row, row], linewidth=5, color=colour, alpha=0.25)
        axes.plot(score.auroc, row, "o", markersize=4.5, **style)
        axes.annotate(
            f"{score.auroc:.3f}", (1, row), (4, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=7, **style,
        )  # fmt: skip


def _frame(
    grid: np.ndarray, names: Sequence[str], scores: Sequence[DetectorScore], n_sets: int
) -> None:
    lowest = min(
        (low for score in scores if isfinite(low := min(score.low, score.auroc))), default=0.0
    )
    grid[0, 0].set_yticks(range(len(names)), [shorten(name, 28) for name in names])
    grid[0, 0].set_ylim(len(names) - 0.4, -0.6)
    grid[0, 0].set_xlim(min(0.45, lowest - 0.03), 1.02)
    grid[0, 0].set_xticks([tick for tick in TICKS if tick >= lowest - 0.03 or tick >= 0.5])
    for number, axes in enumerate(grid.ravel()):
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        axes.set_visible(number < n_sets)
        # Over an empty place of the grid there is no panel below to carry the scale.
        if number + grid.shape[1] >= n_sets:
            axes.tick_params(labelbottom=True)
