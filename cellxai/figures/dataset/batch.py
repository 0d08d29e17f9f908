"""What the network sees: each image as stored, as prepared, and as augmented."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes

from cellxai.figures.colours import GREY, PREPARED_CELL_OUTLINE
from cellxai.figures.overlay import outline
from cellxai.figures.style import drawing, picture_axes

PANEL_WIDTH = 1.9  # inches: five panels are as wide as a page
CAPTION_HEIGHT = 0.22  # inches
LINE_LETTERS = 130  # that a line above five panels has room for


@dataclass(frozen=True)
class BatchRow:
    """The pictures of one image.

    Args:
        label: Name of its class.
        name: Which image.
        original: As stored in the file.
        prepared: As validation sees it.
        augmented: As training sees it, once per epoch.
        mask: Labels of the cells in the geometry of ``prepared``, outlined there.
    """

    label: str
    name: str
    original: UInt8[np.ndarray, "h w *c"]
    prepared: UInt8[np.ndarray, "height width c"]
    augmented: Sequence[UInt8[np.ndarray, "crop_height crop_width c"]]
    mask: Int[np.ndarray, "height width"] | None = None


def draw_batch(rows: Sequence[BatchRow], path: Path, steps: str) -> None:
    """Draws one line of pictures per image.

    Args:
        rows: At least one image.
        path: The PNG to write.
        steps: What happens to the images, in a line above them.
    """
    titles = column_titles(rows)
    tallest = max(size_ratio(picture) for row in rows for picture in pictures_of(row))
    height = len(rows) * (PANEL_WIDTH * tallest + CAPTION_HEIGHT) + 0.7
    with drawing(path, PANEL_WIDTH * len(titles) + 0.4, height, sheet=True) as figure:
        panels = figure.subplots(len(rows), len(titles), squeeze=False)
        for line, row in zip(panels, rows, strict=True):
            for axes, picture in zip(line, pictures_of(row), strict=True):
                show_pixels(picture_axes(axes), picture, tallest)
            name_row(line[0], row)
            outline_cells(line[1], row.mask)
        for axes, title in zip(panels[0], titles, strict=True):
            axes.set_title(title, fontsize=9, color=GREY)
        figure.suptitle(fill(steps, LINE_LETTERS), fontsize=9, fontweight="normal")


def pictures_of(row: BatchRow) -> list[np.ndarray]:
    """All pictures of a row, from left to right."""
    return [row.original, row.prepared, *row.augmented]


def size_ratio(picture: np.ndarray) -> float:
    """Height over width."""
    return picture.shape[0] / picture.shape[1]


def column_titles(rows: Sequence[BatchRow]) -> list[str]:
    """What each column is; outlines are named where there are any."""
    outlined = any(row.mask is not None for row in rows)
    prepared = "prepared, cells outlined" if outlined else "prepared"
    epochs = [f"training, epoch {epoch}" for epoch in range(len(rows[0].augmented))]
    return ["original", prepared, *epochs]


def show_pixels(axes: Axes, picture: np.ndarray, tallest: float) -> None:
    """Shows 8-bit pixels as they are: no contrast is stretched, or brightness would not show.

    Args:
        axes: An empty frame.
        picture: Grey or RGB.
        tallest: Height over width of every frame, so that pictures of any shape stand in line.
    """
    pixels = picture[..., 0] if picture.shape[2:] == (1,) else picture
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    axes.set_box_aspect(tallest)
    axes.set_aspect("equal", adjustable="datalim")


def name_row(axes: Axes, row: BatchRow) -> None:
    """Writes class, image and size beside the first picture of a line."""
    height, width = row.original.shape[:2]
    axes.set_ylabel(row.label, fontsize=10, fontweight="bold", labelpad=4)
    name = row.name if len(row.name) <= 26 else f"{row.name[:25]}…"
    axes.set_xlabel(f"{name} · {height}×{width}", fontsize=7, color=GREY, labelpad=2)


def outline_cells(axes: Axes, mask: Int[np.ndarray, "height width"] | None) -> None:
    """Draws the border of every cell, also where two touch."""
    if mask is not None:
        outline(axes, mask, PREPARED_CELL_OUTLINE, 0.7)
