"""The grid of images and methods: how each explainer sees each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from cellxai.figures.colours import EMPTY
from cellxai.figures.overlay import robust_limit, tint_by_sign
from cellxai.figures.style import drawing, picture_axes

CELL_INCHES = 1.5
MOST_ACROSS = 8  # explainers: wider than that, a page shrinks each map to a stamp
MOST_DOWN = 8  # images, spread over all of them: the page opens with this picture
MARGIN_INCHES = 0.6


@dataclass(frozen=True)
class GridRow:
    """One image and its maps.

    Args:
        title: Its class and its prediction.
        image: In [0, 1].
        maps: Signed evidence per pixel by explainer; NaN where there is none.
        statuses: ``ok``, or what to write over the map.
    """

    title: str
    image: Float[np.ndarray, "h w 3"]
    maps: Mapping[str, Float[np.ndarray, "h w"]]
    statuses: Mapping[str, str]


def draw_grid(rows: Sequence[GridRow], path: Path) -> None:
    """Draws images down and explainers across, each map at its own 99th percentile of strength.

    More explainers than fit beside each other go on below, beside the same images again. Of many
    images, ``MOST_DOWN`` are drawn, at equal distances in their order.

    Args:
        rows: Images, all with the same explainers.
        path: The PNG to write.
    """
    rows = spread_out(rows)
    names = list(rows[0].maps)
    blocks = [names[start : start + MOST_ACROSS] for start in range(0, len(names), MOST_ACROSS)]
    lines = [(row, block) for block in blocks for row in rows]
    height_of = [row.image.shape[0] / row.image.shape[1] for row, _ in lines]
    columns = len(blocks[0]) + 1
    width = CELL_INCHES * columns + MARGIN_INCHES
    height = CELL_INCHES * sum(height_of) + MARGIN_INCHES * len(blocks)
    with drawing(path, width, height, sheet=True) as figure:
        shape = {"squeeze": False, "height_ratios": height_of}
        panels = figure.subplots(len(lines), columns, **shape)
        for (row, block), line in zip(lines, panels, strict=True):
            draw_line(line, row, block)
            for axes, name in zip(line, ["image", *block], strict=False):
                axes.set_title(name if row is rows[0] else "", fontsize=8)


def spread_out(rows: Sequence[GridRow]) -> Sequence[GridRow]:
    """At most ``MOST_DOWN`` of the images, at equal distances."""
    return rows[:: max(1, -(-len(rows) // MOST_DOWN))]


def draw_line(line: Sequence[Axes], row: GridRow, names: Sequence[str]) -> None:
    """Draws one image and its maps by some explainers; frames that are left over stay empty."""
    for axes in line:
        picture_axes(axes)
    line[0].imshow(row.image)
    line[0].set_ylabel(row.title, fontsize=8)
    for axes, name in zip(line[1:], names, strict=False):
        draw_cell(axes, row, name)


def draw_cell(axes: Axes, row: GridRow, name: str) -> None:
    """Draws one map over its image, with a badge where it is not what its name says."""
    values, status = row.maps[name], row.statuses[name]
    if np.isfinite(values).all():
        axes.imshow(tint_by_sign(row.image, values, robust_limit(values)))
    else:
        axes.set_facecolor(EMPTY)
    if status != "ok":
        badge = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
        axes.text(0.03, 0.97, status, transform=axes.transAxes, va="top", fontsize=7, bbox=badge)
