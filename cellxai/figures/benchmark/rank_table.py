"""Ranks by method and family, as a table whose cells are coloured."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from cellxai.figures.colours import GREY, INK, SHARES
from cellxai.figures.style import drawing, shorten

ROW = 0.24  # inches
COLUMN = 0.95
NAMES = 2.1
MOST_LETTERS = 26
DARKEST = 0.5  # of the colours: ink must stay legible on the best


def draw_rank_table(
    methods: Sequence[str],
    families: Sequence[str],
    ranks: Float[np.ndarray, "m f"],
    beaten: Collection[tuple[str, str]],
    controls: Collection[str],
    path: Path,
    title: str,
) -> None:
    """Draws the mean rank of each method in each family; dark is good, ✓ beats every control.

    Args:
        methods: Down, in the order to draw.
        families: Across.
        ranks: 1 the best; NaN where a method has no score.
        beaten: Methods and families in which they beat every control.
        controls: Methods in grey.
        path: The PNG to write.
        title: What the table shows.
    """
    width = NAMES + COLUMN * len(families) + 0.3
    height = 0.85 + ROW * len(methods)
    with drawing(path, max(width, 5.5), height) as figure:
        axes = figure.subplots()
        worst = np.nanmax(ranks, axis=0, initial=2.0, where=~np.isnan(ranks))
        goodness = 1 - (ranks - 1) / (worst - 1)
        axes.imshow(DARKEST * goodness, SHARES, vmin=0, vmax=1, aspect="auto")
        _label_axes(axes, methods, families, controls)
        for row, column in np.ndindex(*ranks.shape):
            mark = " ✓" if (methods[row], families[column]) in beaten else ""
            _write_cell(axes, row, column, float(ranks[row, column]), mark)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)


def _write_cell(axes: Axes, row: int, column: int, rank: float, mark: str) -> None:
    known = not np.isnan(rank)
    text = f"{rank:.1f}{mark}" if known else "–"
    ink = INK if known else GREY
    weight = "bold" if mark else "normal"
    axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink, fontweight=weight)


def _label_axes(
    axes: Axes, methods: Sequence[str], families: Sequence[str], controls: Collection[str]
) -> None:
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(families)), [shorten(name, 14) for name in families])
    axes.set_yticks(range(len(methods)), [shorten(name, MOST_LETTERS) for name in methods])
    for label, name in zip(axes.get_yticklabels(), methods, strict=True):
        if name in controls:
            label.set(color=GREY, fontstyle="italic")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.grid(False)
    # White lines between the cells; a minor tick lies between two of them.
    axes.set_xticks(np.arange(len(families) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(methods) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
