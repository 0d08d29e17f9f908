"""Which methods say the same: their agreement as a heat map beside the tree that orders it."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from scipy.cluster.hierarchy import dendrogram

from cellxai.figures.colours import FAINT, GREY, INK, SIGNED
from cellxai.figures.style import drawing, shorten

CELL = 0.3  # inches
NAMES = 2.0
TREE = 1.5
MOST_LETTERS = 24


def draw_agreement(
    methods: Sequence[str],
    agreement: Float[np.ndarray, "m m"],
    tree: Float[np.ndarray, "merger 4"],
    controls: Collection[str],
    path: Path,
    title: str,
    closer_than: float = 0.5,
) -> None:
    """Draws the agreement of every pair, methods in the order of the tree's leaves.

    Args:
        methods: Names along both axes.
        agreement: Mean over images, at most 1; NaN where two are never comparable.
        tree: As SciPy has it, of the same methods in the same order.
        controls: Methods in grey.
        path: The PNG to write.
        title: What agreement means here.
        closer_than: Distance below which methods form a group, marked in the tree.
    """
    drawn = dendrogram(tree, no_plot=True)
    order = [int(leaf) for leaf in drawn["leaves"]]
    side = CELL * max(len(order), 6)
    with drawing(path, NAMES + side + TREE, side + NAMES * 0.62 + 0.5) as figure:
        shares = {"width_ratios": (side, TREE)}
        cells, branches = figure.subplots(1, 2, sharey=True, gridspec_kw=shares)
        _draw_cells(
            cells, [methods[leaf] for leaf in order], agreement[np.ix_(order, order)], controls
        )
        _draw_branches(branches, drawn["icoord"], drawn["dcoord"], closer_than)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)


def _draw_cells(
    axes: Axes,
    names: Sequence[str],
    agreement: Float[np.ndarray, "m m"],
    controls: Collection[str],
) -> None:
    axes.set_facecolor(FAINT)
    axes.imshow(agreement, SIGNED, vmin=-1, vmax=1, aspect="auto")
    for row, column in np.ndindex(*agreement.shape):
        value = float(agreement[row, column])
        text = "" if row == column else "–" if np.isnan(value) else _two_digits(value)
        ink = GREY if np.isnan(value) else "white" if abs(value) > 0.8 else INK
        axes.text(column, row, text, ha="center", va="center", fontsize=6, color=ink)
    labels = [shorten(name, MOST_LETTERS) for name in names]
    axes.set_yticks(range(len(names)), labels)
    axes.set_xticks(range(len(names)), labels, rotation=55, ha="right", rotation_mode="anchor")
    for tick_labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, name in zip(tick_labels, names, strict=True):
            if name in controls:
                label.set(color=GREY, fontstyle="italic")
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _draw_branches(
    axes: Axes,
    positions: Sequence[Sequence[float]],
    depths: Sequence[Sequence[float]],
    limit: float,
) -> None:
    """The tree; SciPy puts leaf number i at 10 i + 5."""
    for at, depth in zip(positions, depths, strict=True):
        inside = max(depth) < limit
        axes.plot(
            depth, (np.array(at) - 5) / 10, color=INK if inside else GREY,
            linewidth=1.4 if inside else 0.9,
        )  # fmt: skip
    axes.axvline(limit, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlabel="1 − agreement", xlim=(0, None))
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.grid(False)
    axes.spines["left"].set_visible(False)


def _two_digits(value: float) -> str:
    """``.45``, ``−.1``: two digits are all that a cell has room for."""
    text = f"{abs(value):.2f}".removeprefix("0")
    return f"−{text}" if value < -0.005 else text
