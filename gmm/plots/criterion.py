"""The curves of a sweep: a criterion over the number of components."""

import math
from collections.abc import Sequence
from itertools import product

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gmm.options import Criterion
from gmm.plots.style import COLOURS, INK, RULE, add_legend, prepare, write_title
from gmm.selection import Sweep

MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", ":", "-.")
NAMES: dict[Criterion, str] = {"bic": "BIC", "aic": "AIC", "icl": "ICL", "held_out": "held out"}


def plot_criterion(
    sweep: Sweep, criteria: Sequence[Criterion] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Criteria over the number of components, a line per covariance type, minimum annotated.

    Args:
        sweep: A finished sweep.
        criteria: Criteria to draw; None for the one that chose the winner. Its minimum is named in
            the title, the minimum of any other has a ring.
        ax: Where to draw; None for a new figure.

    Raises:
        ValueError: If the sweep has not computed one of them.
    """
    criteria = [sweep.criterion] if criteria is None else criteria
    _check_computed(sweep, criteria)
    ax = prepare(ax, (6.8, 4.4))
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
    add_legend(ax)
    return ax


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
    write_title(ax, f"least {NAMES[criterion]} {place[1]:,.1f}: {kind}")


def _finite_or_nan(value: float) -> float:
    return value if math.isfinite(value) else math.nan
