"""A data set at a glance: counts, contrast before and after CLAHE, brightness and size by class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cellxai.figures.style import BLUE, GREY, INK, ORANGE, SERIES, drawing, picture_axes, short

PICTURE_WIDTH = 2.6  # inches
HISTOGRAM_WIDTH = 3.0
TITLES = ("without CLAHE", "with CLAHE", "grey levels, √ of their share")
MOST_CLASSES = 30  # of one sheet: more are not looked at


@dataclass(frozen=True)
class ContrastRow:
    """One image of a class, without and with CLAHE.

    Args:
        label: Name of its class.
        name: Which image.
        before: Prepared without CLAHE.
        after: Prepared with it.
    """

    label: str
    name: str
    before: UInt8[np.ndarray, "h w c"]
    after: UInt8[np.ndarray, "h w c"]


def draw_counts(counts: Mapping[str, int], path: Path) -> None:
    """Draws how many images each class has.

    Args:
        counts: By class, in the order of the logits.
        path: The PNG to write.
    """
    total = sum(counts.values())
    with drawing(path, 6.4, 1.2 + 0.34 * len(counts)) as figure:
        axes = figure.subplots()
        places = range(len(counts))
        bars = axes.barh(places, list(counts.values()), color=BLUE, height=0.68)
        words = [f"{n}  ({n / total:.0%})" for n in counts.values()]
        axes.bar_label(bars, words, padding=4, fontsize=8, color=INK)
        axes.set_yticks(places, [short(name, 24) for name in counts])
        axes.invert_yaxis()
        axes.margins(x=0.16)
        axes.grid(visible=False, axis="y")
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel("images")
        figure.suptitle(f"{total} images of {len(counts)} classes", fontsize=10)


def draw_contrast(rows: Sequence[ContrastRow], path: Path) -> None:
    """Draws one image of each class before and after CLAHE, with the grey levels of both.

    Args:
        rows: One per class.
        path: The PNG to write.
    """
    tallest = max(row.before.shape[0] / row.before.shape[1] for row in rows)
    height = len(rows) * (PICTURE_WIDTH * tallest + 0.3) + 0.7
    ratios = (PICTURE_WIDTH, PICTURE_WIDTH, HISTOGRAM_WIDTH)
    with drawing(path, sum(ratios) + 0.4, height) as figure:
        grid = figure.subplots(
            len(rows), 3, squeeze=False, sharex="col", gridspec_kw={"width_ratios": ratios}
        )
        for (before, after, levels), row in zip(grid, rows, strict=True):
            for axes, picture in ((before, row.before), (after, row.after)):
                shown = picture[..., 0] if picture.shape[2] == 1 else picture
                picture_axes(axes).imshow(shown, cmap="gray", vmin=0, vmax=255)
            before.set_ylabel(short(row.label), fontweight="bold")
            before.set_xlabel(short(row.name, 34), fontsize=7, color=GREY)
            _grey_levels(levels, row)
        for axes, title in zip(grid[0], TITLES, strict=True):
            axes.set_title(title, color=GREY)
        grid[0, 2].legend(loc="upper right")
        grid[-1, 2].set_xlabel("grey level, 0 to 255")


def _grey_levels(axes: Axes, row: ContrastRow) -> None:
    for name, picture, colour in (("without", row.before, GREY), ("with", row.after, ORANGE)):
        axes.hist(
            picture.ravel(), bins=64, range=(0, 256), density=True, histtype="stepfilled",
            color=colour, alpha=0.45, label=f"{name} CLAHE",
        )  # fmt: skip
    # By square root: an empty background is one bar, higher than everything else together.
    axes.set_yscale("function", functions=(lambda y: np.sqrt(np.maximum(y, 0)), np.square))
    axes.set(yticks=[], xlim=(0, 256))
    # As high as the pictures beside it.
    axes.set_box_aspect(row.before.shape[0] / row.before.shape[1] * PICTURE_WIDTH / HISTOGRAM_WIDTH)
    axes.spines["left"].set_visible(False)


def draw_spread(
    panels: Mapping[str, Mapping[str, Float[np.ndarray, " _"]]], path: Path, title: str
) -> None:
    """Draws one number of every image as a dot, a row per class and a panel per number.

    Args:
        panels: By the name of the number, its values by class.
        path: The PNG to write.
        title: What the numbers tell.
    """
    n_classes = max(len(values) for values in panels.values())
    with drawing(path, 3.6 * len(panels) + 0.8, 1.5 + 0.42 * n_classes) as figure:
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (name, by_class) in zip(grid, panels.items(), strict=True):
            for row, values in enumerate(by_class.values()):
                _dots(axes, values, row)
            axes.set_xlabel(name)
            axes.set_yticks(range(len(by_class)), [short(label, 24) for label in by_class])
            axes.set_ylim(len(by_class) - 0.5, -0.5)
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        figure.suptitle(title, fontsize=10)


def _dots(axes: Axes, values: Float[np.ndarray, " n"], row: int) -> None:
    # Spread by rank, not by chance: the picture of the same images is the same.
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    heights = row + 0.5 * ((order * 0.618034) % 1 - 0.5)
    colour = SERIES[row % len(SERIES)]
    axes.scatter(values, heights, s=9, color=colour, alpha=0.6, linewidths=0)
    if len(values):
        ends = row - 0.36, row + 0.36
        axes.vlines(float(np.median(values)), *ends, color=INK, linewidth=1.6)
