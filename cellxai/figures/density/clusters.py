"""Images by the component that claims them, and images drawn from the mixture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure

from cellxai.figures.colours import GREY, INK
from cellxai.figures.density.sheet import image_height, place_panel, show, write_title
from cellxai.figures.style import drawing

STRIP_IMAGES = 10  # of a cluster; the caption says how many there are
SMALL_WIDTH = 0.62  # inches of an image in a strip
LARGE_WIDTH = 0.9  # inches of a drawn image
GAP = 0.04  # inches
MARGIN = 0.85  # inches, for the caption of a strip
TITLE_HEIGHT = 0.38  # inches
STRIPS_ACROSS = 2
FEW = 6  # clusters that stand under each other
NARROWEST = 4.5  # inches: a title has to fit


def draw_clusters(
    images: Sequence[np.ndarray], labels: Int[np.ndarray, " n"], path: Path, title: str = ""
) -> None:
    """Draws a strip of images for each component, with its number and its size.

    Args:
        images: [h w] or [h w 3] of one size, in [0, 1] or uint8; the first ``STRIP_IMAGES`` of a
            component are drawn.
        labels: The component of each.
        path: The PNG to write.
        title: Over everything; empty for none.

    Raises:
        ValueError: If there is no image.
    """
    if not len(images):
        raise ValueError(f"{path}: no image to draw, expected at least one")
    components, counts = np.unique(labels, return_counts=True)
    rows = -(-len(components) // STRIPS_ACROSS) if len(components) > FEW else len(components)
    strip = MARGIN + min(STRIP_IMAGES, int(counts.max())) * (SMALL_WIDTH + GAP) + GAP
    height = image_height(images[:1], SMALL_WIDTH)
    start, step = TITLE_HEIGHT if title else GAP, height + 2 * GAP
    width = max(-(-len(components) // rows) * strip, NARROWEST)
    with drawing(path, width, start + rows * step, sheet=True) as figure:
        write_title(figure, title)
        for position, (label, count) in enumerate(zip(components, counts, strict=True)):
            column, row = divmod(position, rows)
            members = [images[index] for index in np.flatnonzero(labels == label)[:STRIP_IMAGES]]
            caption = f"{label}\n{count} image{'' if count == 1 else 's'}"
            _draw_strip(figure, members, column * strip, start + row * step, caption)


def _draw_strip(
    figure: Figure, images: Sequence[np.ndarray], left: float, top: float, caption: str
) -> None:
    """Draws images side by side, right of their caption."""
    height = image_height(images, SMALL_WIDTH)
    for number, image in enumerate(images):
        at = left + MARGIN + number * (SMALL_WIDTH + GAP)
        axes = place_panel(figure, at, top, SMALL_WIDTH, height)
        show(axes, image)
        if number == 0:
            style = {"rotation": 0, "ha": "right", "va": "center", "fontsize": 7, "color": INK}
            axes.set_ylabel(caption, **style)


def draw_generated(
    images: Sequence[np.ndarray], path: Path, nearest: Sequence[np.ndarray] = (), title: str = ""
) -> None:
    """Draws images sampled from the mixture, each above the most similar image of the fit.

    A sampled image beside its nearest shows whether it is new or remembered.

    Args:
        images: [h w] or [h w 3] of one size, in [0, 1] or uint8.
        path: The PNG to write.
        nearest: The most similar image of the fit for each, or none.
        title: Over everything; empty for none.

    Raises:
        ValueError: If there is no image, or not one nearest for each.
    """
    if not len(images) or len(nearest) not in (0, len(images)):
        raise ValueError(
            f"{path}: {len(images)} images and {len(nearest)} nearest, expected at least one "
            "image, and a nearest one for each or none"
        )
    lines = [("drawn", images), ("nearest", nearest)] if len(nearest) else [("", images)]
    rows = [
        (name, shown[start : start + STRIP_IMAGES])
        for start in range(0, len(images), STRIP_IMAGES)
        for name, shown in lines
    ]
    height, start = image_height(images[:1], LARGE_WIDTH), TITLE_HEIGHT if title else GAP
    width = 0.25 + max(min(len(images), STRIP_IMAGES), 5) * (LARGE_WIDTH + GAP)
    with drawing(path, width, start + len(rows) * (height + GAP), sheet=True) as figure:
        for number, (name, row) in enumerate(rows):
            for column, image in enumerate(row):
                at = 0.25 + column * (LARGE_WIDTH + GAP), start + number * (height + GAP)
                axes = place_panel(figure, *at, LARGE_WIDTH, height)
                show(axes, image)
                if column == 0:
                    axes.set_ylabel(name, fontsize=7, color=GREY if name == "nearest" else INK)
        write_title(figure, title)
