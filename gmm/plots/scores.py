"""The histogram of log densities, with a threshold."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.plots.style import COLOURS, INK, RULE, format_nats, prepare, write_title

MOST_BINS = 60
LONG_TAIL = 100  # times the middle half, beyond which scores need a compressed axis
ROW_HEIGHT = 0.85  # of the tallest bar, where sets have a row each


def plot_scores(
    scores: ArrayLike | Tensor | Mapping[str, ArrayLike | Tensor],
    threshold_nats: float | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Histogram of log densities, and what a threshold flags; sets by name have a row each.

    Where a few scores lie very far below the rest, as those of outliers in many dimensions do, the
    axis is compressed: linear near zero and logarithmic far from it.

    Args:
        scores: Log densities in nats, or sets of them by name, the first at the top.
        threshold_nats: Scores below it are outliers; None for no threshold.
        ax: Where to draw; None for a new figure.

    Raises:
        ValueError: If a set is empty or a score is not finite.
    """
    groups = scores if isinstance(scores, Mapping) else {"samples": scores}
    groups = {name: _validate_scores(name, values) for name, values in groups.items()}
    ax = prepare(ax, (6.8, 3.4 if len(groups) == 1 else 1 + 0.7 * len(groups)))
    edges = _edges(ax, list(groups.values()))
    if isinstance(scores, Mapping):
        _draw_rows(ax, groups, edges, threshold_nats)
    else:
        _draw_shares(ax, groups["samples"], edges)
    if threshold_nats is not None:
        ax.axvline(threshold_nats, color=INK, lw=1.4, ls="--")
        flagged = [_count_flagged(values, threshold_nats) for values in groups.values()]
        count = f", {flagged[0]}" if len(flagged) == 1 else ""
        write_title(ax, f"outlier below {format_nats(threshold_nats)} (dashed){count}")
    scale = "" if ax.get_xscale() == "linear" else ", compressed axis"
    ax.set_xlabel(f"log density (nats{scale})")
    return ax


def _validate_scores(name: str, values: ArrayLike | Tensor) -> Float[np.ndarray, " n"]:
    plain = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
    array = np.asarray(plain, dtype=np.float64).ravel()
    if not len(array) or not np.isfinite(array).all():
        bad = f"a {array[~np.isfinite(array)][0]}" if len(array) else "nothing"
        raise ValueError(f"scores of {name!r} hold {bad}, expected finite log densities in nats")
    return array


def _edges(ax: Axes, groups: Sequence[Float[np.ndarray, " n"]]) -> list[float]:
    """Edges of the bins, even on the axis, which is compressed where the scores need it."""
    scores = np.concatenate(groups)
    bins = min(max(round(len(scores) ** 0.5), 10), MOST_BINS)
    low, high = float(scores.min()), float(scores.max())
    middle, spread = min((_place(group) for group in groups), key=lambda place: place[1])
    if high - low <= LONG_TAIL * spread or high == low:
        return np.linspace(low, max(high, np.nextafter(low, np.inf)), bins + 1).tolist()
    width = abs(middle) or high - low
    ax.set_xscale("asinh", linear_width=width)
    even = np.linspace(np.arcsinh(low / width), np.arcsinh(high / width), bins + 1)
    # The ends again, which rounding may have moved over the outermost scores.
    return [low, *(width * np.sinh(even[1:-1])).tolist(), high]


def _place(scores: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Median, and the width of the middle half, which is not 0 even for equal scores."""
    quarter, middle, three_quarters = np.quantile(scores, [0.25, 0.5, 0.75])
    return float(middle), float(max(three_quarters - quarter, abs(middle) / LONG_TAIL))


def _draw_shares(ax: Axes, scores: Float[np.ndarray, " n"], edges: list[float]) -> None:
    shares = np.histogram(scores, edges)[0] / len(scores)
    ax.stairs(shares, edges, fill=True, color=COLOURS[0], alpha=0.8)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set_ylabel("share of the samples")


def _draw_rows(
    ax: Axes,
    groups: Mapping[str, Float[np.ndarray, " n"]],
    edges: list[float],
    threshold_nats: float | None,
) -> None:
    for row, values in enumerate(groups.values()):
        colour, base = COLOURS[row % 8], float(-row)
        counts = np.histogram(values, edges)[0]
        # Each to its own height, so that forty held-out samples can be seen beside a thousand.
        tops = base + ROW_HEIGHT * counts / counts.max()
        ax.stairs(tops, edges, baseline=base, fill=True, color=colour, alpha=0.8)
        ax.axhline(base, color=RULE, lw=0.7, zorder=0)
    names = [f"{name}\n{_count_flagged(values, threshold_nats)}" for name, values in groups.items()]
    ax.set_yticks([-float(row) for row in range(len(groups))], names, va="bottom")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _count_flagged(scores: Float[np.ndarray, " n"], threshold_nats: float | None) -> str:
    if threshold_nats is None:
        return f"{len(scores):,} samples"
    return f"{np.sum(scores < threshold_nats):,} of {len(scores):,} flagged"
