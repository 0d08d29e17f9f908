"""Plates as they stand on the bench: one number of every well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Circle

from cellxai.figures.colours import GREY, INK, SHARES
from cellxai.figures.style import PAGE_WIDTH, drawing, shorten

MOST_WELLS_WITH_TEXT = 96  # more are smaller than two digits
WELL_SIZE = 0.44  # radius, where the next well is 1 away
MISSING_SIZE = 0.1
ROWS_NAMED = 16  # more names would touch: then every second


@dataclass(frozen=True)
class PlateRow:
    """One plate, with a panel for each number of its wells.

    Args:
        name: Of the plate.
        rows: Names of the rows of wells.
        panels: Each number by its title, in [0, 1]; NaN where a well has no image.
    """

    name: str
    rows: Sequence[str]
    panels: Mapping[str, Float[np.ndarray, "rows columns"]]


def draw_plates(plates: Sequence[PlateRow], path: Path, title: str) -> None:
    """Draws a line for each plate, a column for each number; wells without images are small rings.

    Args:
        plates: At least one, all with the same panels.
        path: The PNG to write.
        title: What they are.
    """
    names = list(plates[0].panels)
    n_rows, n_columns = next(iter(plates[0].panels.values())).shape
    width = max(PAGE_WIDTH * min(1.0, len(names) / 3), 5.4)
    panel_height = (width - 1.8) / len(names) * n_rows / n_columns
    height = len(plates) * (panel_height + 0.35) + 1.1
    with drawing(path, width, height) as figure:
        grid = figure.subplots(len(plates), len(names), squeeze=False)
        for line, plate in zip(grid, plates, strict=True):
            for axes, name in zip(line, names, strict=True):
                _draw_wells(axes, plate.panels[name], plate.rows)
            line[0].set_ylabel(shorten(plate.name, 24), fontsize=9, fontweight="bold")
        for axes, name in zip(grid[0], names, strict=True):
            axes.set_title(shorten(name, 36), fontsize=9, pad=18)
        colours = ScalarMappable(Normalize(0, 100), SHARES)  # as the numbers in the wells
        bar = figure.colorbar(colours, ax=grid.ravel().tolist(), shrink=0.8, aspect=30)
        bar.outline.set_visible(False)  # type: ignore[operator]
        figure.suptitle(title, fontsize=10)


def _draw_wells(axes: Axes, values: Float[np.ndarray, "rows columns"], rows: Sequence[str]) -> None:
    n_rows, n_columns = values.shape
    axes.set(xlim=(-0.6, n_columns - 0.4), ylim=(n_rows - 0.4, -0.6), aspect="equal")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(
        length=0, labelsize=6, top=True, labeltop=True, bottom=False, labelbottom=False
    )
    every = 2 if n_rows > ROWS_NAMED or n_columns > 12 else 1
    axes.set_xticks(range(0, n_columns, every), [str(i + 1) for i in range(0, n_columns, every)])
    axes.set_yticks(range(0, n_rows, every), rows[::every])
    with_text = values.size <= MOST_WELLS_WITH_TEXT
    for (row, column), value in np.ndenumerate(values):
        missing = np.isnan(value)
        inside, size = ("none", MISSING_SIZE) if missing else (SHARES(float(value)), WELL_SIZE)
        axes.add_patch(Circle((column, row), size, facecolor=inside, edgecolor=GREY, lw=0.5))
        if with_text and not missing:
            colour = "white" if value > 0.5 else INK
            text = f"{100 * value:.0f}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=5)
