"""Whether a threshold flags as many known images as it was set to flag."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from cellxai.figures.colours import GREY, INK, SERIES
from cellxai.figures.style import drawing, shorten

TICKS = (0.0, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class ThresholdReliability:
    """Thresholds of one kind, each set to flag a nominal share and measured on other images.

    Args:
        nominal: Share of known images that it was set to flag, in [0, 1].
        measured: Share of unseen known images that it flags.
        low: Lower end of the 95 % interval of that share.
        high: Upper end.
        n_images: Known images that it was measured on.
    """

    nominal: Float[np.ndarray, " m"]
    measured: Float[np.ndarray, " m"]
    low: Float[np.ndarray, " m"]
    high: Float[np.ndarray, " m"]
    n_images: int


def draw_threshold_reliability(
    kinds: Mapping[str, ThresholdReliability], path: Path, percent: float
) -> None:
    """Draws the measured share of flagged known images against the nominal one, with intervals.

    Args:
        kinds: One per way of setting the threshold, such as on held-out images; the first is the
            one in use.
        path: The PNG to write.
        percent: The nominal share of the threshold in use, in percent, for the title.

    Raises:
        ValueError: If there is none.
    """
    if not kinds:
        raise ValueError(f"{path}: no threshold to draw, expected at least one kind")
    most = max(float(max(kind.nominal.max(), kind.high.max())) for kind in kinds.values())
    with drawing(path, 6.4, 5.6) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="as promised")
        for number, (name, kind) in enumerate(kinds.items()):
            _draw_kind(axes, name, kind, SERIES[number % len(SERIES)])
        _set_scale(axes, max(float(k.nominal.max()) for k in kinds.values()), most)
        first = next(iter(kinds.values()))
        _draw_ring(axes, first, percent / 100)
        figure.legend(loc="outside lower center")
        axes.set_title(verdict(first, percent))


def verdict(kind: ThresholdReliability, percent: float) -> str:
    """``Set to flag 4 %, flags 5.1 % (2.0 to 10.9) of 98 unseen images: as promised``."""
    at = int(np.abs(kind.nominal - percent / 100).argmin())
    share, low, high = (100 * float(part[at]) for part in (kind.measured, kind.low, kind.high))
    nominal = 100 * float(kind.nominal[at])
    kept = "as promised" if low <= nominal <= high else "not as promised"
    measured = f"flags {share:.1f} % ({low:.1f} to {high:.1f})"
    return f"Set to flag {nominal:g} %, {measured} of {kind.n_images} unseen images: {kept}"


def _draw_kind(axes: Axes, name: str, kind: ThresholdReliability, colour: str) -> None:
    order = np.argsort(kind.nominal)
    x = kind.nominal[order]
    low, high = kind.low[order], kind.high[order]
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.vlines(x, low, high, color=colour, alpha=0.3, linewidth=2)
    label = f"{shorten(name, 40)}, {kind.n_images} images, 95 % interval"
    axes.plot(x, kind.measured[order], "o-", color=colour, markersize=4, clip_on=False, label=label)


def _draw_ring(axes: Axes, kind: ThresholdReliability, nominal: float) -> None:
    at = int(np.abs(kind.nominal - nominal).argmin())
    ring = {"markersize": 12, "markerfacecolor": "none", "markeredgecolor": INK, "clip_on": False}
    axes.plot(kind.nominal[at], kind.measured[at], "o", **ring)


def _set_scale(axes: Axes, widest: float, highest: float) -> None:
    """Square roots along both axes: the small shares are those that are used, and 0 has a place."""
    axes.set_xscale("function", functions=(_root, np.square))
    axes.set_yscale("function", functions=(_root, np.square))
    for axis, end in ((axes.xaxis, widest), (axes.yaxis, highest)):
        ticks = [tick for tick in TICKS if tick <= 1.1 * end]
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FixedFormatter([f"{100 * tick:g} %" for tick in ticks]))
        axis.set_minor_locator(NullLocator())
    axes.set(xlim=(0, 1.08 * widest), ylim=(0, min(1.08 * highest, 1.02)))
    axes.set(xlabel="nominal: known images that it was set to flag")
    axes.set(ylabel="measured: known images, not seen before, that it flags")


def _root(shares: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return np.sqrt(np.maximum(shares, 0))
