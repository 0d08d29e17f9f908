"""The picture of the regime map: a panel per covariance type, a row per problem."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from bench_gmm_map import TYPES
from bench_gmm_map_table import Cell, problem_of
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure

from gmm.plots.style import INK, save_figure

# Orange below 1 and blue above, white between: told apart with any colour blindness, and in grey
# by what is printed.
COLOURS = LinearSegmentedColormap.from_list("regimes", ["#B34700", "#FFFFFF", "#0072B2"])
SCALE = TwoSlopeNorm(0, vmin=-2, vmax=4)  # of log2: from a quarter to 16 times as fast
FLOOR = 0.95  # what is below has a frame; between it and 1 is noise
COLUMNS = (
    ("fit", 0, "fit\nf64"),
    ("fit", 1, "fit\nf32"),
    ("default fit", 0, "default\nf64"),
    ("score one", 0, "1 row\nf64"),
    ("score one", 1, "1 row\nf32"),
    ("score all", 0, "score\nf64"),
    ("score all", 1, "score\nf32"),
    ("predict", 0, "predict\nf64"),
    ("predict", 1, "predict\nf32"),
)


def draw(cells: Sequence[Cell], path: Path, header: str) -> Path:
    """Writes the picture of all cells.

    Args:
        cells: What was measured.
        path: Where to write it.
        header: Machine, versions and date.

    Returns:
        ``path``.
    """
    labels = list(dict.fromkeys(problem_of(cell).label for cell in cells))
    figure = Figure(figsize=(22, 1.6 + 0.36 * len(labels)), layout="constrained")
    panels = figure.subplots(1, len(TYPES), sharey=True, squeeze=False)[0]
    for ax, name in zip(panels, TYPES, strict=True):
        fill_panel(ax, [cell for cell in cells if cell.covariance_type == name], labels)
        ax.set_title(name, color=INK, fontsize=11)
    bar = figure.colorbar(ScalarMappable(SCALE, COLOURS), ax=panels, shrink=0.8, pad=0.01)
    ticks = [0.25, 0.5, 1, 2, 4, 8, 16]
    bar.set_ticks(list(np.log2(ticks)), labels=[f"{tick:g}×" for tick in ticks])
    bar.ax.axhline(0, color=INK, linewidth=2)  # the floor: as fast as scikit-learn
    figure.suptitle(
        "How many times as fast as scikit-learn (float64), by CPU time; framed: below the floor of "
        f"1, beyond noise\n{header}",
        fontsize=10,
        color=INK,
    )
    save_figure(figure, path)
    return path


def fill_panel(ax: Axes, cells: Sequence[Cell], labels: Sequence[str]) -> None:
    """Draws one covariance type."""
    ratios = np.full((len(labels), len(COLUMNS)), np.nan)
    for cell in cells:
        for column, (work, dtype, _) in enumerate(COLUMNS):
            if cell.work == work:
                ratios[labels.index(problem_of(cell).label), column] = cell.ratios[dtype]
    ax.imshow(np.log2(ratios), cmap=COLOURS, norm=SCALE, aspect="auto")
    for (row, column), ratio in np.ndenumerate(ratios):
        if np.isnan(ratio):
            continue
        low = ratio < FLOOR
        frame = {"boxstyle": "square,pad=0.25", "fill": False, "edgecolor": INK, "linewidth": 1.5}
        ax.text(
            column, row, f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}", ha="center",
            va="center", fontsize=8, color="white" if ratio > 8 or ratio < 0.35 else INK,
            fontweight="bold" if low else "normal", bbox=frame if low else None,
        )  # fmt: skip
    ax.set_xticks(range(len(COLUMNS)), [words for *_, words in COLUMNS], fontsize=8)
    ax.set_yticks(range(len(labels)), labels, fontsize=8)
    ax.tick_params(length=0, colors=INK)
    ax.spines[:].set_visible(False)
