"""The verdict on sets of images and how far they are from the threshold, histogram by histogram."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cellxai.figures.colours import BLUE, VERMILLION
from cellxai.figures.density.axis import (
    Axis,
    choose_axis,
    format_nats,
    offset_label,
    origin_of,
    put_scale,
)
from cellxai.figures.style import drawing, shorten

MOST_SETS = 16  # more would make a picture longer than any screen
ROOMY_SETS = 8  # up to which each has its full height


def draw_histogram(
    scores: Mapping[str, Float[np.ndarray, " _"]],
    flagged: Mapping[str, Bool[np.ndarray, " _"]],
    threshold: float,
    path: Path,
    percent: float,
) -> None:
    """Draws one histogram per set under each other, on one axis, with the threshold.

    Args:
        scores: Log p-values of the most surprised view, in nats, by name of the set; the first
            ``MOST_SETS`` are drawn.
        flagged: The verdict on each of these images.
        threshold: In nats; -inf where too few known images are there to flag any.
        path: The PNG to write.
        percent: Share of the known images that it was set to flag, in percent.

    Raises:
        ValueError: If there is no set.
    """
    if not scores:
        raise ValueError(f"{path}: no set of scores to draw, expected at least one")
    drawn = dict(list(scores.items())[:MOST_SETS])
    origin = origin_of(list(drawn.values()), threshold)
    axis = choose_axis(list(drawn.values()), origin)
    each = 1.15 if len(drawn) <= ROOMY_SETS else 0.85
    with drawing(path, 9.6, 1.2 + each * len(drawn)) as figure:
        panels = figure.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, values) in zip(panels, drawn.items(), strict=True):
            if np.isfinite(threshold):  # below the bars
                axes.axvspan(axis.edges[0], 0, color=VERMILLION, alpha=0.07, linewidth=0)
            _draw_bars(axes, values - origin, flagged[name], axis)
            if np.isfinite(threshold):
                axes.axvline(0, color=VERMILLION, linewidth=1.4)
            axes.set_title(set_line(name, values, flagged[name]))
        panels[-1].set_xlabel(offset_label(threshold))
        figure.supylabel("images", fontsize=9)
        cut = f"\nthe first {len(drawn)} of {len(scores)} sets" if len(drawn) < len(scores) else ""
        figure.suptitle(title_line(threshold, percent) + cut)


def title_line(threshold: float, percent: float) -> str:
    """The threshold and where it comes from."""
    if not np.isfinite(threshold):
        return f"No threshold: too few known images for {percent:g} %"
    kept = f"more surprising than {100 - percent:g} % of the known images"
    return f"Flagged, in orange: {kept} (log p below {format_nats(threshold)})"


def set_line(name: str, scores: Float[np.ndarray, " n"], flagged: Bool[np.ndarray, " n"]) -> str:
    """``test: 40 images, 2 flagged (5.0 %)``."""
    name = shorten(name, 60)
    if len(scores) == 0:
        return f"{name}: no images"
    n_flagged = int(flagged.sum())
    images = "1 image" if len(scores) == 1 else f"{len(scores)} images"
    line = f"{name}: {images}, {n_flagged} flagged ({100 * n_flagged / len(scores):.1f} %)"
    n_outside = int((~np.isfinite(scores)).sum())
    return f"{line}, {n_outside} of them without a finite score" if n_outside else line


def _draw_bars(
    axes: Axes, offsets: Float[np.ndarray, " n"], flagged: Bool[np.ndarray, " n"], axis: Axis
) -> None:
    kinds = [offsets[chosen & np.isfinite(offsets)] for chosen in (~flagged, flagged)]
    style: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.4, "stacked": True}
    axes.hist(kinds, bins=axis.edges.tolist(), color=[BLUE, VERMILLION], **style)
    put_scale(axes, axis)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.spines["left"].set_visible(False)
    axes.tick_params(length=0)
