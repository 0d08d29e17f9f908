"""A scale of log-density that shows the known images and outliers of millions of nats."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

N_BINS = 60
TICK_GAP = 0.075  # of the axis: closer labels touch
LINEAR_SHARE = 0.6  # of the decades outside: the known images keep about a quarter of the axis
NARROWEST = 1e-3  # nats: images closer than that to the threshold are all at it
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Axis:
    """A scale that is linear near the threshold and logarithmic far from it.

    Outliers of a Gaussian mixture lie millions of nats below the images that it knows; on a linear
    axis everything else is one bar, and on a logarithmic one the known images lose their shape.

    Args:
        linear_width: Nats from the threshold at which the scale turns logarithmic.
        stretch: Decades that the linear part is as wide as, on either side.
        edges: Edges of the bins, in nats from the threshold, of equal width on this scale.
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


def origin_of(scores: Sequence[Float[np.ndarray, " _"]], threshold: float) -> float:
    """The middle of the scale: the threshold, or the least score where the threshold is -inf."""
    if np.isfinite(threshold):
        return threshold
    finite = np.concatenate([values[np.isfinite(values)] for values in scores])
    return float(finite.min()) if len(finite) else 0.0


def offset_label(threshold: float) -> str:
    """What the scale shows."""
    if np.isfinite(threshold):
        return "log p-value, nats from the threshold  (left: unfamiliar)"
    return "log p-value, nats from the least score  (no threshold: nothing is flagged)"


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
    step = (high - low + 2 * margin) / N_BINS
    # The threshold is an edge: no bar stands half in and half out.
    places = step * np.arange(np.floor((low - margin) / step), np.ceil((high + margin) / step) + 1)
    edges = _offset(places, width, stretch)
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
    """``threshold``, ``+50``, ``−10 000``, and from a million on ``−2·10⁶``."""
    if nats == 0:
        return "threshold"
    sign = "−" if nats < 0 else "+"
    power = int(np.floor(np.log10(abs(nats)) + 1e-9))
    if power < 5:
        return f"{sign}{abs(nats):,g}".replace(",", "\u202f")
    lead = round(abs(nats) / 10.0**power)
    raised = str(power).translate(SUPERSCRIPTS)
    return f"{sign}10{raised}" if lead == 1 else f"{sign}{lead}·10{raised}"


def put_scale(axes: Axes, axis: Axis) -> None:
    """Makes ``axis`` the horizontal scale: its ends, its ticks and their labels."""
    axes.set_xscale("function", functions=(axis.place, axis.offset))
    axes.set_xlim(axis.edges[0], axis.edges[-1])
    axes.set_xticks(axis.ticks, [tick_label(tick) for tick in axis.ticks])
    axes.minorticks_off()


def format_nats(value: float) -> str:
    """``−38.0 nats``, and from a million on ``−2.7·10⁷ nats``."""
    if not np.isfinite(value):
        return "no finite score"
    if abs(value) < 1e6:
        return f"{value:,.1f} nats".replace("-", "−").replace(",", "\u202f")
    lead, power = f"{value:.1e}".split("e")
    return f"{lead}·10{str(int(power)).translate(SUPERSCRIPTS)} nats".replace("-", "−")
