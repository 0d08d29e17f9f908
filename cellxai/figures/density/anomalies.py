"""Which pixels make an image unusual: attributions of its log-density, over the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from cellxai.figures.density.axis import in_nats
from cellxai.figures.explanations import Regions, outline, robust_limit, tint_by_sign
from cellxai.figures.style import BLUE, SIGNED, VERMILLION, YELLOW, drawing, picture_axes, short

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
        images: With the same explainers each; the first ``MOST_ROWS`` are drawn.
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
        PANEL_WIDTH * one.image.shape[0] / one.image.shape[1] + CAPTION_HEIGHT for one in shown
    ]
    width = max(PANEL_WIDTH * (1 + len(names)), 2.6 * PANEL_WIDTH)
    with drawing(path, width, sum(heights) + 0.9, sheet=True) as figure:
        shape = {"squeeze": False, "height_ratios": heights}
        grid = figure.subplots(len(shown), 1 + len(names), **shape)
        for one, panels in zip(shown, grid, strict=True):
            _draw_image(panels[0], one)
            for axes, name in zip(panels[1:], names, strict=True):
                _draw_map(axes, one, name)
        for axes, name in zip(grid[0, 1:], names, strict=True):
            axes.set_title(short(name, 26), fontsize=9)
        _colour_scale(figure, grid, any(one.region is not None for one in shown))
        figure.suptitle(f"What makes an image unusual (threshold {in_nats(threshold)})")


def _draw_image(axes: Axes, one: ExplainedAnomaly) -> None:
    picture_axes(axes).imshow(one.image, vmin=0, vmax=1)
    axes.set_title(short(one.name, 30), fontsize=8)
    if one.region is not None:
        outline(axes, one.region != 0, YELLOW, 1.3)
    told = "unfamiliar" if one.flagged else "known"
    axes.set_xlabel(f"{in_nats(one.log_density)}: {told}", fontsize=8)
    axes.xaxis.label.set_color(VERMILLION if one.flagged else BLUE)


def _draw_map(axes: Axes, one: ExplainedAnomaly, name: str) -> None:
    values = one.maps[name]
    picture_axes(axes).imshow(tint_by_sign(one.image, values, robust_limit(values)))
    if one.region is not None:
        outline(axes, one.region != 0, YELLOW, 1.0)
    if one.hits is not None:
        axes.set_xlabel("hits the region" if name in one.hits else "misses the region", fontsize=7)


def _colour_scale(figure: Figure, grid: np.ndarray, outlined: bool) -> None:
    place = {"orientation": "horizontal", "fraction": 0.03, "aspect": 50, "pad": 0.02}
    bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), SIGNED), ax=grid, ticks=[-1, 1], **place)
    bar.ax.set_xticklabels(["makes it unusual", "speaks for a known image"])
    for label, side in zip(bar.ax.get_xticklabels(), ("left", "right"), strict=True):
        label.set_horizontalalignment(side)
    bar.ax.tick_params(length=0, labelsize=8)
    bar.outline.set_visible(False)  # type: ignore[operator]
    yellow = "; yellow: foreign region" if outlined else ""
    bar.set_label(f"full colour at each map's own 99th percentile of strength{yellow}", fontsize=7)
