"""Reliability: is what was said with 90 % confidence right in 90 % of the images?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cellxai.figures.colours import BLUE, GREY, ORANGE, SKY
from cellxai.figures.style import drawing

LABEL_GAP = 0.045  # of the scale: counts closer than that would lie on each other

Points = tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]


@dataclass(frozen=True)
class ReliabilityPanel:
    """One binning of the confidences.

    Args:
        title: What the bins are.
        counts: Images in each bin.
        confidence: Mean confidence in each bin.
        accuracy: Share of right images in each bin.
        low: Lower end of what chance makes of a true confidence.
        high: Upper end of it.
        error: Expected calibration error.
        after: Confidence and accuracy after temperature scaling; ``None`` where it failed.
        error_after: Expected calibration error after temperature scaling.
    """

    title: str
    counts: Int[np.ndarray, " m"]
    confidence: Float[np.ndarray, " m"]
    accuracy: Float[np.ndarray, " m"]
    low: Float[np.ndarray, " m"]
    high: Float[np.ndarray, " m"]
    error: float
    after: Points | None = None
    error_after: float | None = None


def draw_reliability(panels: Sequence[ReliabilityPanel], path: Path, part: str) -> None:
    """Draws accuracy against confidence, with the number of images in each bin below.

    Args:
        panels: One per binning.
        path: The PNG to write.
        part: Which images these are, for the title.
    """
    left = _left_end(panels)
    with drawing(path, 4.8 * len(panels), 5.6) as figure:
        grid = figure.subplots(
            2, len(panels), squeeze=False, sharex=True, gridspec_kw={"height_ratios": (3, 1)}
        )
        for (upper, lower), panel in zip(grid.T, panels, strict=True):
            _draw_shares(upper, panel)
            _draw_counts(lower, panel, left)
        grid[0, 0].set_xlim(left, 1 + 0.04 * (1 - left))
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        n_images = int(panels[0].counts.sum())
        figure.suptitle(f"Reliability of {n_images} {part} images", fontsize=10)


def title_of(panel: ReliabilityPanel) -> str:
    """``15 bins of equal width: ECE 0.029, scaled 0.021``."""
    scaled = "" if panel.error_after is None else f", scaled {panel.error_after:.3f}"
    return f"{panel.title}: ECE {panel.error:.3f}{scaled}"


def _draw_shares(axes: Axes, panel: ReliabilityPanel) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="perfectly calibrated")
    axes.vlines(
        panel.confidence, panel.low, panel.high, color=SKY, alpha=0.45, linewidth=4,
        label="95 % of it by chance",
    )  # fmt: skip
    # A dot is as large as its bin is full: one of a single image is right or wrong, and no share.
    sizes = 12 + 70 * panel.counts / panel.counts.max()
    axes.plot(panel.confidence, panel.accuracy, color=BLUE, linewidth=1)
    axes.scatter(panel.confidence, panel.accuracy, sizes, color=BLUE, zorder=3, label="as trained")
    if panel.after is not None:
        axes.plot(*panel.after, color=ORANGE, linewidth=1, linestyle="--")
        axes.scatter(
            *panel.after, 22, color=ORANGE, marker="s", zorder=4, label="temperature scaled"
        )
    axes.set(title=title_of(panel), ylabel="share of right images", ylim=(-0.06, 1.06))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def _draw_counts(axes: Axes, panel: ReliabilityPanel, left: float) -> None:
    axes.bar(panel.confidence, panel.counts, width=0.012 * (1 - left), color=BLUE)
    before = -np.inf
    for confidence, count in zip(panel.confidence, panel.counts, strict=True):
        if confidence - before > LABEL_GAP * (1 - left):
            axes.annotate(
                str(count), (confidence, count), (0, 2), textcoords="offset points",
                ha="center", fontsize=6.5, color=GREY,
            )  # fmt: skip
            before = confidence
    axes.set(xlabel="confidence: probability of the predicted class", ylabel="images")
    axes.set_ylim(0, 1.25 * panel.counts.max())
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))


def _left_end(panels: Sequence[ReliabilityPanel]) -> float:
    """The scale starts a little below the lowest confidence: there is none below 1/k."""
    confidences = [panel.confidence for panel in panels]
    confidences += [panel.after[0] for panel in panels if panel.after is not None]
    return min(0.6, max(-0.02, float(np.concatenate(confidences).min()) - 0.06))
