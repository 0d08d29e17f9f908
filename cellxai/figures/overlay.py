"""What is laid over an image: tints by the sign of the evidence, outlines of regions, their scale.

Green speaks for the explained class and orange-red against it; ``colours`` has both.
"""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure

from cellxai.figures.colours import NEGATIVE, POSITIVE, SIGNED

Regions = Int[np.ndarray, "h w"] | Bool[np.ndarray, "h w"]

ROBUST_PERCENTILE = 99.0  # one hot pixel must not turn the rest of a map white
STRONGEST_TINT = 0.65  # of the colour: cells stay visible under it
DARKEST = 0.3  # what black becomes under a map: on black neither colour can be told


def tint_by_sign(
    image: Float[np.ndarray, "h w 3"], values: Float[np.ndarray, "h w"], limit: float
) -> Float[np.ndarray, "h w 3"]:
    """The image in pale grey, tinted green where ``values`` is positive, orange-red where negative.

    Args:
        image: In [0, 1].
        values: Signed evidence per pixel.
        limit: Strength of full tint; the tint grows linearly up to it.
    """
    values = np.nan_to_num(values)
    strength = np.minimum(np.abs(values) / limit, 1)[..., None] * STRONGEST_TINT
    colour = np.where((values > 0)[..., None], to_rgb(POSITIVE), to_rgb(NEGATIVE))
    grey = DARKEST + (1 - DARKEST) * image.mean(-1, keepdims=True)
    return np.minimum((1 - strength) * grey + strength * colour, 1)  # rounding may exceed white


def robust_limit(values: Float[np.ndarray, "*shape"]) -> float:
    """Strength below which 99 % of the values lie, so that a colour scale is ±limit.

    The largest where 99 % are zero, and 1 for a map of zeros.
    """
    strengths = np.abs(values[np.isfinite(values)])
    if strengths.max(initial=0.0) == 0:
        return 1.0
    return float(np.percentile(strengths, ROBUST_PERCENTILE)) or float(strengths.max())


def outline(axes: Axes, labels: Regions, colour: str, width: float) -> None:
    """Draws the borders between regions, on the edges of the pixels."""
    axes.add_collection(
        LineCollection(list(boundary_segments(labels)), colors=colour, linewidths=width),
        autolim=False,
    )


def boundary_segments(labels: Regions) -> Float[np.ndarray, "m 2 2"]:
    """Pixel edges between different labels as (x, y) line ends, pixel centres being integers."""
    y, x = np.nonzero(labels[:, 1:] != labels[:, :-1])
    upright = np.stack([np.stack([x + 0.5, y - 0.5], -1), np.stack([x + 0.5, y + 0.5], -1)], 1)
    y, x = np.nonzero(labels[1:] != labels[:-1])
    level = np.stack([np.stack([x - 0.5, y + 0.5], -1), np.stack([x + 0.5, y + 0.5], -1)], 1)
    return np.concatenate([upright, level]).astype(float)


LABEL_LETTERS = 28  # of a line under the scale: longer ones run into each other


def draw_signed_scale(
    figure: Figure,
    panels: Sequence[Axes],
    labels: Mapping[float, str],
    *,
    aspect: int = 60,
    remark: str = "",
) -> None:
    """Draws the scale of both signs under the panels.

    Args:
        figure: Where.
        panels: What the scale is of; it stands below them all.
        labels: What stands under the scale, by the place from −1 to 1.
        aspect: Width of the scale over its height.
        remark: Goes on after what the scale says by itself.
    """
    scale = ScalarMappable(Normalize(-1, 1), SIGNED)
    shape = {"orientation": "horizontal", "fraction": 0.03, "aspect": aspect, "pad": 0.02}
    bar = figure.colorbar(scale, ax=panels, ticks=list(labels), **shape)
    bar.ax.set_xticklabels([fill(label, LABEL_LETTERS) for label in labels.values()])
    # The outer labels would stick out of the picture if they stood centred under their ticks.
    for label, place in zip(bar.ax.get_xticklabels(), labels, strict=True):
        label.set_horizontalalignment("left" if place < 0 else "right" if place > 0 else "center")
    bar.ax.tick_params(length=0, labelsize=8)
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.set_label(f"full colour at each map's own 99th percentile of strength{remark}", fontsize=7)
