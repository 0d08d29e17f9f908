"""One number of every image, by class: brightness, contrast, size."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from cellxai.figures.colours import INK, SERIES
from cellxai.figures.style import drawing, shorten


def draw_spread(
    panels: Mapping[str, Mapping[str, Float[np.ndarray, " _"]]], path: Path, title: str
) -> None:
    """Draws one number of every image as a dot, a row per class and a panel per number.

    Args:
        panels: For each number by its name, the values of each class.
        path: The PNG to write.
        title: What the numbers tell.
    """
    n_classes = max(len(values) for values in panels.values())
    with drawing(path, 3.6 * len(panels) + 0.8, 1.5 + 0.42 * n_classes) as figure:
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (name, by_class) in zip(grid, panels.items(), strict=True):
            for row, values in enumerate(by_class.values()):
                _draw_dots(axes, values, row)
            axes.set_xlabel(name)
            axes.set_yticks(range(len(by_class)), [shorten(label, 24) for label in by_class])
            axes.set_ylim(len(by_class) - 0.5, -0.5)
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        figure.suptitle(title, fontsize=10)


def _draw_dots(axes: Axes, values: Float[np.ndarray, " n"], row: int) -> None:
    # Spread by rank, not by chance: the picture of the same images is the same.
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    heights = row + 0.5 * ((order * 0.618034) % 1 - 0.5)
    colour = SERIES[row % len(SERIES)]
    axes.scatter(values, heights, s=9, color=colour, alpha=0.6, linewidths=0)
    if len(values):
        ends = row - 0.36, row + 0.36
        axes.vlines(float(np.median(values)), *ends, color=INK, linewidth=1.6)
