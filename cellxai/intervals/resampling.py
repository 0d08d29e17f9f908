"""How certain any figure in [0, 1] of many images is: balanced accuracy, F1, areas under curves.

Resamples of the units give the figure's variance, and the interval is that of a share of as many
independent images as would vary as much, with Student's correction for few groups: see
:mod:`cellxai.intervals.shares`. It stays in [0, 1] and is lopsided near the ends, where percentiles
of the resampled figures are too narrow. `scripts/bench_intervals.py` measures both.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float, Int

from cellxai.intervals.level import Interval
from cellxai.intervals.means import N_RESAMPLES
from cellxai.intervals.shares import NEAR, interval_of_share, size_for_variance

CELLS_AT_ONCE = 4_000_000  # images × resamples in memory: 32 MB of float64

Figures = Mapping[str, Float[np.ndarray, " r"]]
Statistics = Callable[[Float[np.ndarray, "_ n"]], Figures]


def resampled_intervals(
    statistics: Statistics, units: Int[np.ndarray, " n"], n_surest: int, seed: int = 0
) -> dict[str, Interval | None]:
    """95 % intervals of several figures of the same images.

    Args:
        statistics: Computes named figures in [0, 1] from the weight of each image in each sample;
            NaN where a sample does not define one.
        units: Which unit each image belongs to, from 0; units are drawn, with all their images.
        n_surest: Units of the rarest class. A figure of 0 or 1 is as certain as a share of so many
            images, and the variance of a figure of groups as what so many of them know of it.
        seed: Seed of the draws.
    """
    observed = statistics(np.ones((1, len(units))))
    drawn = draw_figures(statistics, units, N_RESAMPLES, seed)
    return {
        name: interval_of_figure(float(value[0]), drawn[name], units, n_surest)
        for name, value in observed.items()
    }


def draw_figures(
    statistics: Statistics, units: Int[np.ndarray, " n"], n_resamples: int, seed: int
) -> dict[str, Float[np.ndarray, " r"]]:
    """The figures in each resample of the units (Efron and Tibshirani 1993, ch. 6)."""
    generator, n_units = np.random.default_rng(seed), int(units.max()) + 1
    at_once = max(1, CELLS_AT_ONCE // len(units))
    chunks: list[Figures] = []
    for start in range(0, n_resamples, at_once):
        n_drawn = min(at_once, n_resamples - start)
        counts = generator.multinomial(n_units, np.full(n_units, 1 / n_units), n_drawn)
        chunks.append(statistics(counts[:, units].astype(np.float64)))
    return {name: np.concatenate([draws[name] for draws in chunks]) for name in chunks[0]}


def interval_of_figure(
    value: float, drawn: Float[np.ndarray, " r"], units: Int[np.ndarray, " n"], n_surest: int
) -> Interval | None:
    """The interval of one figure from its resamples; ``None`` where these do not define it.

    Args:
        value: The figure.
        drawn: It in each resample; NaN is left out.
        units: See :func:`resampled_intervals`.
        n_surest: See :func:`resampled_intervals`.
    """
    defined, n_units = drawn[~np.isnan(drawn)], int(units.max()) + 1
    if np.isnan(value) or len(defined) < 2:
        return None
    if not NEAR < value < 1 - NEAR:
        return interval_of_share(float(round(value)), float(n_surest))
    # A resample of n units varies by (n - 1) / n of what new units would.
    variance = float(defined.var(ddof=1)) * n_units / max(n_units - 1, 1)
    if variance <= NEAR**2:  # equal draws may differ in their last bits
        return None
    n_groups = n_surest if n_units < len(units) else None
    return interval_of_share(value, size_for_variance(value * (1 - value), variance, n_groups))
