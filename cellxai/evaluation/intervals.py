"""How certain a figure is: Wilson's interval of a share, and the bootstrap of any figure."""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import t

from cellxai.data.records import Record

LEVEL = 0.95
NORMAL_QUANTILE = 1.959963984540054  # quantile of the standard normal, two-sided for LEVEL
N_RESAMPLES = 2000
CELLS_AT_ONCE = 4_000_000  # images × resamples in memory: 32 MB of float64

Interval = tuple[float, float]
Draws = Mapping[str, Float[np.ndarray, " r"]]

DEFINITION = (
    f"{LEVEL:.0%} intervals. wilson: Wilson (1927), of a share of independent images; it stays "
    "sensible for few images and at 0 or 1; where images are in groups, of as many independent "
    "images as would be as uncertain (effective sample size, Kish 1965). bootstrap: percentiles of "
    f"{N_RESAMPLES} resamples "
    "(Efron and Tibshirani 1993, ch. 13) of the images, or of their groups (plates, patients) "
    "where they have them: n_units of them; not stratified by class, since another sample would "
    "have other class counts; a class that a resample lacks counts in none of its means; "
    "null where all resamples agree, as of a part without a mistake, which is no certainty."
)


def wilson(n_right: int, n_images: int) -> Interval | None:
    """95 % interval of a share (Wilson 1927); ``None`` without images."""
    return wilson_of_share(n_right / n_images, float(n_images)) if n_images else None


def wilson_of_share(share: float, n_images: float) -> Interval:
    """95 % interval of a share of so many independent images, which need not be a whole number."""
    z2 = NORMAL_QUANTILE**2 / n_images
    centre = (share + z2 / 2) / (1 + z2)
    half = sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)
    # Exact at the ends, where rounding could leave the share itself outside the interval.
    low = 0.0 if share == 0 else centre - half
    return low, 1.0 if share == 1 else centre + half


def mean_interval(values: Float[np.ndarray, " n"]) -> Interval | None:
    """95 % interval of the mean of independent units (Student 1908).

    ``None`` of fewer than two, and where all are equal, which is no certainty.
    """
    if len(values) < 2 or np.ptp(values) <= 1e-12:
        return None
    half = t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def sampling_units(records: Sequence[Record]) -> Int[np.ndarray, " n"]:
    """What the bootstrap draws: the image, or all images of its group where it has one.

    Images of one plate or patient resemble each other; drawn separately, they would make the
    interval too narrow.
    """
    names = [
        ("image", record.id) if record.group is None else ("group", record.group)
        for record in records
    ]
    index_of = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return np.array([index_of[name] for name in names], dtype=np.int64)


def bootstrap(
    statistics: Callable[[Float[np.ndarray, "_ n"]], Draws],
    units: Int[np.ndarray, " n"],
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval | None]:
    """Percentile bootstrap intervals of several statistics of the same images.

    Args:
        statistics: Computes named figures from how often each image was drawn in each resample.
        units: Which unit each image belongs to, from 0; units are drawn, with all their images.
        n_resamples: Number of bootstrap samples.
        seed: Seed of the draws.
    """
    generator, n_units = np.random.default_rng(seed), int(units.max()) + 1
    at_once = max(1, CELLS_AT_ONCE // len(units))
    chunks: list[Draws] = []
    for start in range(0, n_resamples, at_once):
        n_drawn = min(at_once, n_resamples - start)
        counts = generator.multinomial(n_units, np.full(n_units, 1 / n_units), n_drawn)
        chunks.append(statistics(counts[:, units].astype(np.float64)))
    return {
        name: percentile_interval(np.concatenate([draws[name] for draws in chunks]))
        for name in chunks[0]
    }


def percentile_interval(draws: Float[np.ndarray, " r"]) -> Interval | None:
    """The middle 95 % of bootstrap draws; NaN is left out, ``None`` where the rest agree."""
    defined = draws[~np.isnan(draws)]
    # Equal draws may differ in their last bits, depending on the order of summation.
    if not len(defined) or np.ptp(defined) <= 1e-12:
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
