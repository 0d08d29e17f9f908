"""What CLAHE makes of an image of each class: before, after, and the grey levels of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes

from cellxai.figures.colours import GREY, ORANGE
from cellxai.figures.style import drawing, picture_axes, shorten

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
            before.set_ylabel(shorten(row.label), fontweight="bold")
            before.set_xlabel(shorten(row.name, 34), fontsize=7, color=GREY)
            _draw_grey_levels(levels, row)
        for axes, title in zip(grid[0], TITLES, strict=True):
            axes.set_title(title, color=GREY)
        grid[0, 2].legend(loc="upper right")
        grid[-1, 2].set_xlabel("grey level, 0 to 255")


def _draw_grey_levels(axes: Axes, row: ContrastRow) -> None:
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
