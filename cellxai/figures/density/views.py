"""Which view is surprised by which set of images: shares, as a table in colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes

from cellxai.figures.colours import GREY, INK, SHARES
from cellxai.figures.style import drawing, shorten

MOST_SETS = 24
MOST_VIEWS = 16  # narrower columns have no room for a number
LETTERS = 22  # of a name
DARK = 0.55  # share above which a cell is so dark that its number is white


@dataclass(frozen=True)
class SetOfViews:
    """A set of images as every view sees it.

    Args:
        name: Name of the set.
        p: p-value of each image in each view.
        flagged: The verdict on each image.
    """

    name: str
    p: Float[np.ndarray, "n v"]
    flagged: Bool[np.ndarray, " n"]

    def shares(self, level: float) -> Float[np.ndarray, " columns"]:
        """Share of the images with a p-value of at most the level in each view; then the flagged.

        NaN of no image.
        """
        if not len(self.p):
            return np.full(self.p.shape[1] + 1, np.nan)
        return np.r_[(self.p <= level).mean(0), self.flagged.mean()]


def draw_views(
    sets: Sequence[SetOfViews], views: Sequence[str], path: Path, percent: float
) -> None:
    """Draws a row per set and a column per view, and the verdict beside them.

    Args:
        sets: The first ``MOST_SETS`` are drawn.
        views: Names of the views, in the order of their p-values; the first ``MOST_VIEWS`` are
            drawn.
        path: The PNG to write.
        percent: An image surprises a view if at most this share of known images surprises it as
            much.

    Raises:
        ValueError: If there is no set.
    """
    if not sets:
        raise ValueError(f"{path}: no set of images to draw, expected at least one")
    shown, columns = sets[:MOST_SETS], list(views[:MOST_VIEWS])
    every = np.stack([images.shares(percent / 100) for images in shown])
    shares = np.c_[every[:, : len(columns)], every[:, -1]]
    with drawing(path, 9.6, 2.1 + 0.32 * len(shown)) as figure:
        axes = figure.subplots()
        _fill(axes, shares)
        names = [f"{shorten(images.name, LETTERS)} ({len(images.p)})" for images in shown]
        axes.set_yticks(range(len(shown)), names)
        labels = [*(shorten(name, LETTERS) for name in columns), "flagged"]
        places = [*range(len(columns)), len(columns) + 0.3]
        axes.set_xticks(places, labels, rotation=35, ha="left", rotation_mode="anchor")
        axes.get_xticklabels()[-1].set_fontweight("bold")
        figure.suptitle(title_line(percent, (len(shown), len(sets)), (len(columns), len(views))))


def title_line(percent: float, sets: tuple[int, int], views: tuple[int, int]) -> str:
    """What a cell is, and what is left out: how many of how many."""
    beyond = f"{100 - percent:g} % of the known images"
    line = f"Which view is surprised? Share of images that surprise it more than {beyond}"
    pairs = ((sets, "sets"), (views, "views"))
    cut = [f"{shown} of {n} {noun}" for (shown, n), noun in pairs if shown < n]
    return f"{line}\nthe first {' and '.join(cut)}" if cut else line


def _fill(axes: Axes, shares: Float[np.ndarray, "s columns"]) -> None:
    n_sets, n_views = shares.shape[0], shares.shape[1] - 1
    for row, column in np.ndindex(*shares.shape):
        share, left = shares[row, column], column - 0.5 + 0.3 * (column == n_views)
        colour = SHARES(share) if np.isfinite(share) else "white"
        axes.fill_between([left, left + 1], row - 0.5, row + 0.5, color=colour, linewidth=0)
        text = f"{100 * share:.0f} %" if np.isfinite(share) else "–"
        ink = "white" if share > DARK else INK
        weight = "bold" if column == n_views else "normal"
        axes.text(
            left + 0.5, row, text, ha="center", va="center", fontsize=8, color=ink,
            fontweight=weight,
        )  # fmt: skip
    axes.hlines(np.arange(n_sets + 1) - 0.5, -0.5, n_views + 0.8, color="white", linewidth=1.5)
    axes.vlines(np.arange(n_views + 1) - 0.5, -0.5, n_sets - 0.5, color="white", linewidth=1.5)
    axes.set(xlim=(-0.52, n_views + 0.82), ylim=(n_sets - 0.48, -0.52))
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelcolor=INK, color=GREY)
    axes.grid(False)
    axes.spines[:].set_visible(False)
