"""Pictures' common style, the curves of a sweep, and the histogram of scores with its threshold."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.options import Criterion
from gmm.persistence import atomic
from gmm.selection import Sweep

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C564B")
# Okabe & Ito's, which the colour-blind can tell apart, and two more.
INK, RULE, ALARM = "#222222", "#DDDDDD", "#D55E00"
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", ":", "-.")
NAMES: dict[Criterion, str] = {"bic": "BIC", "aic": "AIC", "icl": "ICL", "held_out": "held out"}
MOST_BINS = 60
LONG_TAIL = 100  # times the middle half, beyond which scores need a compressed axis
ROW_HEIGHT = 0.85  # of the tallest bar, where sets have a row each


def plot_criterion(
    sweep: Sweep, criteria: Sequence[Criterion] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Criteria over the number of components, a line per covariance type, minimum annotated.

    Args:
        sweep: A finished sweep.
        criteria: Which to draw; None for the one that chose the winner. Its minimum is named in
            the title, that of any other has a ring.
        ax: Where to draw; None for a new figure.

    Raises:
        ValueError: If the sweep has not computed one of them.
    """
    criteria = [sweep.criterion] if criteria is None else criteria
    _check_computed(sweep, criteria)
    ax = prepared(ax, (6.8, 4.4))
    types = list(dict.fromkeys(row.covariance_type for row in sweep.rows))
    for line, (criterion, name) in enumerate(product(criteria, types)):
        rows = [row for row in sweep.rows if row.covariance_type == name]
        rows = sorted(rows, key=lambda row: row.n_components)
        values = [_finite_or_nan(getattr(row, criterion)) for row in rows]
        look = line % len(types) if len(types) > 1 else line
        ax.plot([row.n_components for row in rows], values, DASHES[line // len(types) % 4],
                color=COLOURS[look % 8], marker=MARKERS[look % 6], ms=5, lw=1.6,
                label=_line_name(criterion, name, criteria, types))  # fmt: skip
    for criterion in criteria:
        _mark_minimum(ax, sweep, criterion)
    label = ", ".join(NAMES[criterion] for criterion in criteria)
    ax.set(xlabel="components", ylabel=f"{label} (nats, lower is better)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y", color=RULE, lw=0.7)
    legended(ax)
    return ax


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
    groups = {name: _checked_scores(name, values) for name, values in groups.items()}
    ax = prepared(ax, (6.8, 3.4 if len(groups) == 1 else 1 + 0.7 * len(groups)))
    edges = _edges(ax, list(groups.values()))
    if isinstance(scores, Mapping):
        _draw_rows(ax, groups, edges, threshold_nats)
    else:
        _draw_shares(ax, groups["samples"], edges)
    if threshold_nats is not None:
        ax.axvline(threshold_nats, color=INK, lw=1.4, ls="--")
        flagged = [_flagged(values, threshold_nats) for values in groups.values()]
        count = f", {flagged[0]}" if len(flagged) == 1 else ""
        titled(ax, f"outlier below {in_nats(threshold_nats)} (dashed){count}")
    scale = "" if ax.get_xscale() == "linear" else ", compressed axis"
    ax.set_xlabel(f"log density (nats{scale})")
    return ax


def save_figure(picture: Axes | Figure, path: Path | str) -> None:
    """Writes a figure, or the figure of an Axes, atomically; the suffix chooses the format.

    Raises:
        ValueError: If the format is unknown.
    """
    figure = picture.get_figure(root=True) if isinstance(picture, Axes) else picture
    assert figure is not None
    with atomic(Path(path)) as temporary:
        figure.savefig(temporary, dpi=150, bbox_inches="tight", facecolor="white")


def prepared(ax: Axes | None, inches: tuple[float, float]) -> Axes:
    """The Axes to draw on in the style of these pictures: the one given, or a new figure's."""
    # No pyplot: it would keep every figure of a long-lived process, and ask for a screen.
    ax = Figure(figsize=inches, layout="constrained").subplots() if ax is None else ax
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#888888")
    ax.tick_params(colors=INK, labelsize=9)
    return ax


def titled(ax: Axes, title: str) -> None:
    """Writes a title in the style of these pictures: small, dark, on the left."""
    ax.set_title(title, loc="left", color=INK, fontsize=11)


def legended(ax: Axes, title: str | None = None) -> None:
    """Adds a legend in the style of these pictures: no frame, but legible over what it covers."""
    legend = ax.legend(title=title, fontsize=9, labelcolor=INK, framealpha=0.85, edgecolor="none")
    legend.set_zorder(6)


def in_nats(value: float) -> str:
    """A log density for a title: four digits, or all before the point, with a true minus."""
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{digits} nats".replace("-", "−")


def _check_computed(sweep: Sweep, criteria: Sequence[Criterion]) -> None:
    for criterion in criteria:
        if all(math.isnan(getattr(row, criterion)) for row in sweep.rows):
            raise ValueError(f"criterion {criterion!r} was not computed; sweep with n_folds=5")


def _line_name(
    criterion: Criterion, covariance_type: str, criteria: Sequence, types: Sequence
) -> str:
    names = [NAMES[criterion]] * (len(criteria) > 1) + [covariance_type] * (len(types) > 1)
    return " ".join(names) or f"{covariance_type} {NAMES[criterion]}"


def _mark_minimum(ax: Axes, sweep: Sweep, criterion: Criterion) -> None:
    best = min(sweep.rows, key=lambda row: getattr(row, criterion))
    place = (best.n_components, getattr(best, criterion))
    ax.plot(*place, "o", ms=13, mfc="none", mec=INK, mew=1.4)
    if criterion != sweep.criterion:
        return
    ax.axvline(best.n_components, color="#888888", lw=0.8, ls=":", zorder=0)
    # To the left, where the curves are still far above, if there is any left.
    first = best.n_components == min(row.n_components for row in sweep.rows)
    ax.annotate("minimum", place, (34, 30) if first else (-78, -3), textcoords="offset points",
                fontsize=9, color=INK, bbox={"fc": "white", "ec": "none", "pad": 1.5},
                arrowprops={"arrowstyle": "-|>", "color": INK, "shrinkB": 8})  # fmt: skip
    kind = f"{best.n_components} components, {best.covariance_type}"
    titled(ax, f"least {NAMES[criterion]} {place[1]:,.1f}: {kind}")


def _checked_scores(name: str, values: ArrayLike | Tensor) -> Float[np.ndarray, " n"]:
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
    """Median, and the width of the middle half; of equal scores, of their size."""
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
    names = [f"{name}\n{_flagged(values, threshold_nats)}" for name, values in groups.items()]
    ax.set_yticks([-float(row) for row in range(len(groups))], names, va="bottom")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _flagged(scores: Float[np.ndarray, " n"], threshold_nats: float | None) -> str:
    if threshold_nats is None:
        return f"{len(scores):,} samples"
    return f"{np.sum(scores < threshold_nats):,} of {len(scores):,} flagged"


def _finite_or_nan(value: float) -> float:
    return value if math.isfinite(value) else math.nan
