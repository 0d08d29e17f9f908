"""Which pixels make an image unusual: attributions of its log-density, over the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from cellxai.figures.colours import BLUE, CAUSE_OUTLINE, VERMILLION
from cellxai.figures.density.axis import format_nats
from cellxai.figures.overlay import Regions, draw_signed_scale, outline, robust_limit, tint_by_sign
from cellxai.figures.style import drawing, picture_axes, shorten

PANEL_WIDTH = 2.1  # inches
CAPTION_HEIGHT = 0.42
MOST_ROWS = 12


@dataclass(frozen=True)
class ExplainedAnomaly:
    """One image and what makes its log-density what it is.

    Args:
        name: Which image.
        image: As the network sees it, in [0, 1].
        maps: Evidence per pixel by explainer: what it adds to the log-density, in nats.
        log_density: In nats.
        flagged: Whether it is below the threshold.
        region: Non-zero on the pixels that are known to be foreign; None where unknown.
        hits: Explainers whose strongest pixel lies in the region; None where it is unknown.
    """

    name: str
    image: Float[np.ndarray, "h w 3"]
    maps: Mapping[str, Float[np.ndarray, "h w"]]
    log_density: float
    flagged: bool
    region: Regions | None = None
    hits: frozenset[str] | None = None


def draw_anomalies(images: Sequence[ExplainedAnomaly], path: Path, threshold: float) -> None:
    """Draws a row per image: itself with its score and verdict, then the map of every explainer.

    Args:
        images: All with the same explainers; the first ``MOST_ROWS`` are drawn.
        path: The PNG to write.
        threshold: In nats, for the title.

    Raises:
        ValueError: If there is no image.
    """
    if not images:
        raise ValueError(f"{path}: no explained image to draw, expected at least one")
    shown = images[:MOST_ROWS]
    names = list(shown[0].maps)
    heights = [
        PANEL_WIDTH * anomaly.image.shape[0] / anomaly.image.shape[1] + CAPTION_HEIGHT
        for anomaly in shown
    ]
    width = max(PANEL_WIDTH * (1 + len(names)), 2.6 * PANEL_WIDTH)
    with drawing(path, width, sum(heights) + 0.9, sheet=True) as figure:
        shape = {"squeeze": False, "height_ratios": heights}
        grid = figure.subplots(len(shown), 1 + len(names), **shape)
        for anomaly, panels in zip(shown, grid, strict=True):
            _draw_image(panels[0], anomaly)
            for axes, name in zip(panels[1:], names, strict=True):
                _draw_map(axes, anomaly, name)
        for axes, name in zip(grid[0, 1:], names, strict=True):
            axes.set_title(shorten(name, 26), fontsize=9)
        outlined = any(anomaly.region is not None for anomaly in shown)
        draw_signed_scale(
            figure,
            list(grid.ravel()),
            {-1: "makes it unusual", 1: "speaks for a known image"},
            aspect=50,
            remark="; yellow: foreign region" if outlined else "",
        )
        figure.suptitle(f"What makes an image unusual (threshold {format_nats(threshold)})")


def _draw_image(axes: Axes, anomaly: ExplainedAnomaly) -> None:
    picture_axes(axes).imshow(anomaly.image, vmin=0, vmax=1)
    axes.set_title(shorten(anomaly.name, 30), fontsize=8)
    if anomaly.region is not None:
        outline(axes, anomaly.region != 0, CAUSE_OUTLINE, 1.3)
    verdict = "unfamiliar" if anomaly.flagged else "known"
    axes.set_xlabel(f"{format_nats(anomaly.log_density)}: {verdict}", fontsize=8)
    axes.xaxis.label.set_color(VERMILLION if anomaly.flagged else BLUE)


def _draw_map(axes: Axes, anomaly: ExplainedAnomaly, name: str) -> None:
    values = anomaly.maps[name]
    picture_axes(axes).imshow(tint_by_sign(anomaly.image, values, robust_limit(values)))
    if anomaly.region is not None:
        outline(axes, anomaly.region != 0, CAUSE_OUTLINE, 1.0)
    if anomaly.hits is not None:
        axes.set_xlabel(
            "hits the region" if name in anomaly.hits else "misses the region", fontsize=7
        )
