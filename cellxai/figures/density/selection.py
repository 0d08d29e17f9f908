"""How a mixture was chosen: a criterion over the number of components, a curve per covariance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from cellxai.figures.colours import INK, SERIES, VERMILLION
from cellxai.figures.style import drawing

LONG = 12.0  # the worst over the middle: more squashes the curves flat, and the axis is bent
TICK_GAP = 0.09  # of the axis: closer labels touch
MOST_COLUMNS = 3  # panels side by side
MOST_TICKS = 12  # numbers of components under a panel
NAMES = {"bic": "BIC", "aic": "AIC", "icl": "ICL", "held_out": "likelihood of held-out images"}


@dataclass(frozen=True)
class SweepCurves:
    """Every mixture that was tried, as columns of equal length.

    Args:
        n_components: Number of components of each.
        covariance_type: Covariance type of each.
        criteria: By name (``bic``, ``aic``, ``icl``, ``held_out``), the value of each mixture on
            the scale of −2 log-likelihood in nats: lower is better, infinite where it collapsed.
        chosen_by: The criterion that the choice was made by.
        n_samples: Images that each was fitted to.
    """

    n_components: Sequence[int]
    covariance_type: Sequence[str]
    criteria: Mapping[str, Float[np.ndarray, " m"]]
    chosen_by: str
    n_samples: int

    @property
    def chosen(self) -> int:
        """Row of the chosen mixture in the columns."""
        return int(np.nanargmin(self.criteria[self.chosen_by]))


def draw_selection(curves: SweepCurves, path: Path) -> None:
    """Draws each criterion beside the others, as nats per image worse than its best mixture.

    Args:
        curves: What was tried.
        path: The PNG to write.

    Raises:
        ValueError: If the criterion of the choice has no finite value.
    """
    shown = {n: v for n, v in curves.criteria.items() if np.isfinite(v).any()}
    if curves.chosen_by not in shown:
        raise ValueError(
            f"{path}: criterion {curves.chosen_by!r} has no finite value, expected one of "
            f"{', '.join(shown) or 'none'}"
        )
    rows = ceil(len(shown) / MOST_COLUMNS)
    columns = ceil(len(shown) / rows)
    with drawing(path, max(4.8 * columns, 6.4), 0.8 + 3.6 * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        legend: dict[str, Any] = {}
        for axes, (name, values) in zip(panels, shown.items(), strict=True):
            _draw_criterion(axes, curves, name, excess(values, curves.n_samples))
            handles, labels = axes.get_legend_handles_labels()
            legend |= dict(zip(labels, handles, strict=True))
        figure.supylabel("nats per image worse than the best", fontsize=9)
        figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=6)
        figure.suptitle(headline(curves))


def headline(curves: SweepCurves) -> str:
    """``Chosen by BIC: 3 components, diag covariance (ringed)``."""
    kind, count = curves.covariance_type[curves.chosen], curves.n_components[curves.chosen]
    components = "component" if count == 1 else "components"
    by = NAMES.get(curves.chosen_by, curves.chosen_by)
    return f"Chosen by {by}: {count} {components}, {kind} covariance (ringed)"


def excess(values: Float[np.ndarray, " m"], n_samples: int) -> Float[np.ndarray, " m"]:
    """Nats of log-likelihood per image by which each value is worse than the least."""
    return (values - np.nanmin(values)) / (2 * n_samples)


def _draw_criterion(
    axes: Axes, curves: SweepCurves, name: str, values: Float[np.ndarray, " m"]
) -> None:
    counts, kinds = np.asarray(curves.n_components), np.asarray(curves.covariance_type)
    finite = values[np.isfinite(values)]
    bent = _bend(axes, finite)
    for number, kind in enumerate(dict.fromkeys(curves.covariance_type)):
        mine = np.flatnonzero(kinds == kind)
        mine = mine[np.argsort(counts[mine])]
        shown = np.where(np.isfinite(values[mine]), values[mine], np.nan)
        colour = SERIES[number % len(SERIES)]
        axes.plot(counts[mine], shown, "o-", color=colour, markersize=4, label=kind)
    failed = counts[~np.isfinite(values)]
    if len(failed):
        top = np.full(len(failed), finite.max())
        axes.plot(failed, top, "x", color=VERMILLION, markersize=6, label="collapsed")
    ring = {"markersize": 12, "markerfacecolor": "none", "markeredgewidth": 1.6, "color": INK}
    axes.plot(counts[curves.chosen], values[curves.chosen], "o", **ring)
    best = int(np.nanargmin(values))
    axes.set_title(f"{NAMES.get(name, name)}: best is {kinds[best]}, {counts[best]}")
    axes.set_xlabel("components")
    low = -0.2 * float(np.median(finite)) if bent else -0.05 * (finite.max() or 1.0)
    axes.set_ylim(bottom=low)
    tried = np.unique(counts)
    axes.set_xticks(tried[:: -(-len(tried) // MOST_TICKS)])


def _bend(axes: Axes, values: Float[np.ndarray, " m"]) -> bool:
    """Makes the scale logarithmic far from the best if the worst would squash the rest."""
    middle, worst = float(np.median(values)), float(values.max())
    if worst <= LONG * middle or middle == 0:
        return False
    # Below 0 there is nothing but the margin, which may not reach a logarithm's end.
    functions = (
        lambda y: np.log1p(np.maximum(y / middle, -0.5)),
        lambda y: middle * np.expm1(y),
    )
    axes.set_yscale("function", functions=functions)
    decades = [10.0**power for power in range(9, -5, -1)]
    chosen = [0.0]
    for tick in (lead * ten for lead in (1, 5, 2) for ten in decades):
        distances = np.abs(np.log1p(np.array(chosen) / middle) - np.log1p(tick / middle))
        if tick <= 1.2 * worst and distances.min() > TICK_GAP * np.log1p(worst / middle):
            chosen.append(tick)
    axes.set_yticks(sorted(chosen), [f"{tick:,g}" for tick in sorted(chosen)])
    axes.minorticks_off()
    return True
