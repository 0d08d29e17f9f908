"""Log-densities of sets of images against the threshold, and the images at both ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cellxai.figures.style import SERIES, VERMILLION, drawing, picture_axes

N_BINS = 60
TICK_GAP = 0.075  # of the axis: closer labels touch
LINEAR_SHARE = 0.6  # of the decades outside: the known images keep about a quarter of the axis
NARROWEST = 1e-3  # nats: images closer than that to the threshold are all at it
SHEET_COLUMNS = 6


@dataclass(frozen=True)
class Axis:
    """A scale that is linear near the threshold and logarithmic far from it.

    Outliers of a Gaussian mixture lie millions of nats below the images that it knows; on a linear
    axis everything else is one bar, and on a logarithmic one the known images lose their shape.

    Args:
        linear_width: Nats from the threshold at which the scale turns logarithmic.
        stretch: Decades that the linear part is as wide as, on either side.
        edges: Of the bins, in nats from the threshold, of equal width on this scale.
        ticks: Round numbers of nats from the threshold, far enough apart to be read.
    """

    linear_width: float
    stretch: float
    edges: Float[np.ndarray, " m"]
    ticks: tuple[float, ...]

    def place(self, offsets: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Where nats from the threshold stand on the axis, in decades from its middle."""
        return _place(offsets, self.linear_width, self.stretch)

    def offset(self, places: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Nats from the threshold at a place on the axis: the inverse of ``place``."""
        return _offset(places, self.linear_width, self.stretch)


def _place(
    offsets: Float[np.ndarray, " n"], linear_width: float, stretch: float
) -> Float[np.ndarray, " n"]:
    ratio = np.abs(offsets) / linear_width
    far = stretch + np.log10(np.maximum(ratio, 1))
    return np.sign(offsets) * np.where(ratio <= 1, stretch * ratio, far)


def _offset(
    places: Float[np.ndarray, " n"], linear_width: float, stretch: float
) -> Float[np.ndarray, " n"]:
    ratio = np.abs(places) / stretch
    far = 10 ** np.maximum(np.abs(places) - stretch, 0)
    return np.sign(places) * linear_width * np.where(ratio <= 1, ratio, far)


def choose_axis(scores: Sequence[Float[np.ndarray, " _"]], threshold: float) -> Axis:
    """The axis on which all finite scores fit and the bulk keeps its shape.

    Args:
        scores: Log-densities of each set in nats.
        threshold: In nats; the middle of the scale.
    """
    spreads = [_spread(values - threshold) for values in scores]
    # The tightest set is the one that the mixture knows; a set of outliers must not set the scale.
    width = min((spread for spread in spreads if spread > NARROWEST), default=1.0)
    offsets = np.concatenate([*scores, np.array([threshold])]) - threshold
    offsets = offsets[np.isfinite(offsets)]
    stretch = max(1.0, LINEAR_SHARE * np.log10(max(np.abs(offsets).max() / width, 1.0)))
    low, high = _place(np.array([offsets.min(), offsets.max()]), width, stretch)
    margin = 0.02 * (high - low) or 0.5
    edges = _offset(np.linspace(low - margin, high + margin, N_BINS + 1), width, stretch)
    bare = Axis(width, stretch, edges, ())
    return replace(bare, ticks=_round_ticks(bare))


def _spread(offsets: Float[np.ndarray, " n"]) -> float:
    finite = offsets[np.isfinite(offsets)]
    return float(2 * np.percentile(np.abs(finite), 75)) if len(finite) else 0.0


def _round_ticks(axis: Axis) -> tuple[float, ...]:
    """0, then powers of ten from the outside in, then 5 and 2 times them where there is room."""
    decades = [10.0**power for power in range(12, -4, -1)]
    wanted = [sign * lead * ten for lead in (1, 5, 2) for ten in decades for sign in (-1, 1)]
    gap = TICK_GAP * np.ptp(axis.place(axis.edges))
    chosen = [0.0]
    for tick in wanted:
        distances = np.abs(axis.place(np.array(chosen)) - axis.place(np.array([tick])))
        if axis.edges[0] <= tick <= axis.edges[-1] and distances.min() >= gap:
            chosen.append(tick)
    return tuple(sorted(chosen))


def tick_label(nats: float) -> str:
    """``0``, ``+50``, ``−10 000``, and from a million on ``−2·10⁶``."""
    if nats == 0:
        return "threshold"
    sign = "−" if nats < 0 else "+"
    power = int(np.floor(np.log10(abs(nats)) + 1e-9))
    if power < 5:
        return f"{sign}{abs(nats):,g}".replace(",", "\u202f")
    lead = round(abs(nats) / 10.0**power)
    raised = str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{sign}10{raised}" if lead == 1 else f"{sign}{lead}·10{raised}"


def set_line(name: str, scores: Float[np.ndarray, " n"], threshold: float) -> str:
    """``test: 40 images, 2 flagged (5.0 %)``; a score that is no number counts as flagged."""
    if len(scores) == 0:
        return f"{name}: no images"
    n_flagged = int((~(scores >= threshold)).sum())
    share = 100 * n_flagged / len(scores)
    images = "1 image" if len(scores) == 1 else f"{len(scores)} images"
    line = f"{name}: {images}, {n_flagged} flagged ({share:.1f} %)"
    n_outside = int((~np.isfinite(scores)).sum())
    return f"{line}, {n_outside} of them without a finite score" if n_outside else line


def draw_histogram(
    scores: Mapping[str, Float[np.ndarray, " _"]], threshold: float, path: Path, percent: float
) -> None:
    """Draws one histogram per set under each other, on one axis, with the threshold.

    Args:
        scores: Log-densities in nats by name of the set.
        threshold: In nats; images below it are flagged.
        path: The PNG to write.
        percent: Share of the calibration images below the threshold, in percent.

    Raises:
        ValueError: If there is no set.
    """
    if not scores:
        raise ValueError(f"{path}: no set of scores to draw, expected at least one")
    axis = choose_axis(list(scores.values()), threshold)
    with drawing(path, 9.6, 1.2 + 1.15 * len(scores)) as figure:
        panels = figure.subplots(len(scores), 1, sharex=True, squeeze=False)[:, 0]
        for number, (axes, (name, values)) in enumerate(zip(panels, scores.items(), strict=True)):
            _bars(axes, values - threshold, axis, SERIES[number % len(SERIES)])
            axes.set_title(set_line(name, values, threshold))
        panels[-1].set_xlabel("log-density, nats from the threshold  (left: unfamiliar)")
        figure.supylabel("images", fontsize=9)
        limit = f"{threshold:,.1f}".replace("-", "−")
        figure.suptitle(
            f"Threshold {limit} nats: the {percent:g} % quantile of the calibration images"
        )


def _bars(axes: Axes, offsets: Float[np.ndarray, " n"], axis: Axis, colour: str) -> None:
    finite = offsets[np.isfinite(offsets)]
    axes.axvspan(axis.edges[0], 0, color=VERMILLION, alpha=0.07, linewidth=0)
    axes.hist(finite, bins=axis.edges.tolist(), color=colour, edgecolor="white", linewidth=0.4)
    axes.axvline(0, color=VERMILLION, linewidth=1.4)
    axes.set_xscale("function", functions=(axis.place, axis.offset))
    axes.set_xlim(axis.edges[0], axis.edges[-1])
    axes.set_xticks(axis.ticks, [tick_label(tick) for tick in axis.ticks])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.spines["left"].set_visible(False)
    axes.tick_params(length=0)


def draw_extremes(images: Sequence[np.ndarray], titles: Sequence[str], path: Path) -> None:
    """Draws a sheet of images, each under its title.

    Args:
        images: [h w] or [h w 3] in [0, 1] or uint8, of any sizes.
        titles: One per image: id and score.
        path: The PNG to write.

    Raises:
        ValueError: If there is no image.
    """
    if not images:
        raise ValueError(f"{path}: no image to draw, expected at least one")
    columns = min(len(images), SHEET_COLUMNS)
    rows = ceil(len(images) / columns)
    tallest = max(image.shape[0] / image.shape[1] for image in images)
    size = (1.6 * columns, (1.6 * tallest + 0.42) * rows)
    with drawing(path, *size, sheet=True) as figure:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels:
            picture_axes(axes)
        for axes, image, title in zip(panels, images, titles, strict=False):
            top = 255 if image.dtype == np.uint8 else 1
            axes.imshow(image, cmap="gray", vmin=0, vmax=top)
            axes.set_title(title, fontsize=7, pad=4)
