"""The images that were misclassified with most confidence, on one sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from cellxai.figures.colours import BLUE, GREY, VERMILLION
from cellxai.figures.style import drawing, picture_axes, shorten

COLUMNS = 4
PANEL_WIDTH = 2.4  # inches
CAPTION_HEIGHT = 0.62  # inches: three lines of text


@dataclass(frozen=True)
class MistakePanel:
    """One misclassified image.

    Args:
        name: Which image.
        image: As the network sees it, in [0, 1].
        label: Name of the labelled class.
        predicted: Name of the predicted class.
        p_predicted: Probability of the predicted class.
        p_label: Probability of the labelled class.
    """

    name: str
    image: Float[np.ndarray, "h w 3"]
    label: str
    predicted: str
    p_predicted: float
    p_label: float


def draw_mistakes(panels: Sequence[MistakePanel], path: Path, n_mistakes: int) -> None:
    """Draws a sheet of mistakes, each with both classes and their probabilities.

    Args:
        panels: At least one, the most confident first.
        path: The PNG to write.
        n_mistakes: How many the whole part has, for the title.
    """
    columns = min(COLUMNS, len(panels))
    rows = ceil(len(panels) / columns)
    tallest = max(panel.image.shape[0] / panel.image.shape[1] for panel in panels)
    height = rows * (PANEL_WIDTH * tallest + CAPTION_HEIGHT) + 0.5
    width = max(PANEL_WIDTH * columns + 0.3, 2 * PANEL_WIDTH)
    with drawing(path, width, height, sheet=True) as figure:
        frames = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in frames:
            picture_axes(axes)
        for axes, panel in zip(frames, panels, strict=False):
            axes.imshow(panel.image, vmin=0, vmax=1)
            write_caption(axes, panel)
        figure.suptitle(headline(len(panels), n_mistakes), fontsize=10)


def headline(n_shown: int, n_mistakes: int) -> str:
    """``The 12 most confident of 31 mistakes``, or ``All 3 mistakes, the most confident first``."""
    if n_shown < n_mistakes:
        return f"The {n_shown} most confident of {n_mistakes} mistakes"
    if n_mistakes == 1:
        return "The only mistake"
    return f"All {n_mistakes} mistakes, the most confident first"


def write_caption(axes: Axes, panel: MistakePanel) -> None:
    """Writes the three lines under an image, in the colours of right and wrong."""
    lines = [
        (shorten(panel.name, 34), GREY, 6.5),
        (f"labelled {shorten(panel.label)}: {100 * panel.p_label:.1f} %", BLUE, 8),
        (f"predicted {shorten(panel.predicted)}: {100 * panel.p_predicted:.1f} %", VERMILLION, 8),
    ]
    for number, (text, colour, size) in enumerate(lines):
        axes.annotate(
            text, (0, 0), (0, -9 - 11 * number), xycoords="axes fraction",
            textcoords="offset points", va="center", color=colour, fontsize=size,
        )  # fmt: skip
