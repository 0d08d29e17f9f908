"""Sheets of images, each with its score: the most and the least typical, or those of new plates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellxai.figures.colours import BLUE, GREY, INK, VERMILLION
from cellxai.figures.density.axis import format_nats
from cellxai.figures.style import drawing, picture_axes, shorten

COLUMNS = 6
IMAGE_WIDTH = 1.5  # inches
GAP = 0.12  # inches, beside and above an image
LINE_HEIGHT = 0.14  # inches, of a caption
HEADING_HEIGHT = 0.24  # inches
LETTERS = 26  # of a caption: more run into the next image


@dataclass(frozen=True)
class ScoredImage:
    """One image of a sheet.

    Args:
        image: [h w] or [h w 3], in [0, 1] or uint8.
        name: Which image.
        set: Where it is from; empty where the sheet shows one set.
        log_density: In nats; None where there is no density.
        flagged: Whether it is below the threshold; None where there is none.
        note: A second figure, such as a reconstruction error; empty for none.
    """

    image: np.ndarray
    name: str
    set: str
    log_density: float | None
    flagged: bool | None = None
    note: str = ""

    def caption_lines(self) -> list[str]:
        """The lines under the image: score and verdict, name, set, note."""
        verdict = ": unfamiliar" if self.flagged else ""
        score = "" if self.log_density is None else f"{format_nats(self.log_density)}{verdict}"
        lines = [score, self.name, self.set, self.note]
        return [shorten(line, LETTERS) for line in lines if line]


def draw_scored_images(
    groups: Mapping[str, Sequence[ScoredImage]], path: Path, title: str = ""
) -> None:
    """Draws groups of images under their headings, such as the least and the most typical.

    Args:
        groups: Images by heading, in the order of the sheet.
        path: The PNG to write.
        title: Over everything; empty for none.

    Raises:
        ValueError: If there is no image.
    """
    shown = {heading: images for heading, images in groups.items() if images}
    if not shown:
        raise ValueError(f"{path}: no image to draw, expected at least one")
    rows = [
        ("" if start else heading, images[start : start + COLUMNS])
        for heading, images in shown.items()
        for start in range(0, len(images), COLUMNS)
    ]
    columns = max(len(images) for _, images in rows)
    width = GAP + max(columns, 3) * (IMAGE_WIDTH + GAP)
    top = 0.4 if title else 0.05
    with drawing(path, width, top + sum(_row_height(*row) for row in rows), sheet=True) as figure:
        for heading, images in rows:
            _draw_row(figure, heading, images, top)
            top += _row_height(heading, images)
        write_title(figure, title)


def show(axes: Axes, image: np.ndarray) -> None:
    """Draws an image of either kind, its greys as they are."""
    picture_axes(axes).imshow(
        image, cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1
    )


def place_panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in inches from the upper left corner.

    A layout engine would give way to captions, and no two rows of a sheet would be alike.
    """
    across, down = figure.get_size_inches()
    corner = (left / across, 1 - (top + height) / down, width / across, height / down)
    return figure.add_axes(corner)


def write_title(figure: Figure, title: str) -> None:
    """Writes the title of a sheet of panels, which no layout engine arranges."""
    figure.set_layout_engine("none")
    down = figure.get_size_inches()[1]
    figure.suptitle(title, y=1 - 0.08 / down, va="top")


def image_height(images: Sequence[np.ndarray], width: float) -> float:
    """Inches of the tallest of the images, all drawn ``width`` inches wide."""
    return width * max(image.shape[0] / image.shape[1] for image in images)


def _row_height(heading: str, images: Sequence[ScoredImage]) -> float:
    lines = LINE_HEIGHT * max(len(scored.caption_lines()) for scored in images)
    tallest = image_height([scored.image for scored in images], IMAGE_WIDTH)
    return tallest + lines + GAP + HEADING_HEIGHT * bool(heading)


def _draw_row(figure: Figure, heading: str, images: Sequence[ScoredImage], top: float) -> None:
    top += HEADING_HEIGHT * bool(heading)
    for number, scored in enumerate(images):
        left = GAP + number * (IMAGE_WIDTH + GAP)
        axes = place_panel(
            figure, left, top, IMAGE_WIDTH, image_height([scored.image], IMAGE_WIDTH)
        )
        show(axes, scored.image)
        axes.set_title("" if number else heading, fontsize=9, pad=5, color=INK)
        _write_caption(axes, scored)


def _write_caption(axes: Axes, scored: ScoredImage) -> None:
    for number, line in enumerate(scored.caption_lines()):
        score = {True: VERMILLION, False: BLUE, None: INK}[scored.flagged]
        axes.annotate(
            line, (0, 0), (0, -7 - 10 * number), xycoords="axes fraction",
            textcoords="offset points", va="center", color=GREY if number else score,
            fontsize=6.5 if number else 7.5,
        )  # fmt: skip
