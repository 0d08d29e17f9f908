"""The tables and the picture of ``bench_shapley.py``, from the errors that it has measured."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from cellxai.figures.colours import SERIES
from cellxai.figures.style import drawing

COUNTS = (96, 128, 192, 250, 384, 512, 768, 1000)
MOST = COUNTS[-1]
PAIRED, UNPAIRED = "leverage scores, paired", "leverage scores, unpaired"
KERNEL, ORDERS = "Kernel SHAP (Captum)", "random orders (Captum)"
METHODS = (PAIRED, UNPAIRED, KERNEL, ORDERS)
ASKED = (0.3, 0.2, 0.15, 0.1)  # errors that the stop is asked for
CONFIDENCE = 0.95
RESAMPLES = 2000


def error_table(errors: np.ndarray) -> list[str]:
    """Methods down, passes across: the mean error over images with its 95 % interval.

    Args:
        errors: [image, method, passes], the mean over seeds.
    """
    head = ["| method | " + " | ".join(map(str, COUNTS)) + " |", "|---" * (len(COUNTS) + 1) + "|"]
    return head + [
        f"| {name} | " + " | ".join(mean_and_interval(errors[:, m, n]) for n in range(len(COUNTS)))
        + " |"
        for m, name in enumerate(METHODS)
    ]  # fmt: skip


def mean_and_interval(values: np.ndarray) -> str:
    """Mean over images ± half its interval by Student's t; a dash where some image has none."""
    if np.isnan(values).any():
        return "–"
    n = len(values)
    half = student.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std(ddof=1) / n**0.5
    return f"{values.mean():.3f} ± {half:.3f}"


def passes_to_reach(mean_errors: np.ndarray, wanted: float) -> float:
    """Passes at which a curve of errors falls to an error, linear in the logarithms between counts.

    Infinite where it does not.
    """
    known = np.isfinite(mean_errors)
    counts, errors = np.log(np.array(COUNTS)[known]), np.log(mean_errors[known])
    below = np.flatnonzero(errors <= np.log(wanted))
    if not len(below):
        return np.inf
    i = below[0]
    if i == 0:
        return float(np.exp(counts[0]))
    share = (errors[i - 1] - np.log(wanted)) / (errors[i - 1] - errors[i])
    return float(np.exp(counts[i - 1] + share * (counts[i] - counts[i - 1])))


def reach_table(errors: np.ndarray, generator: np.random.Generator) -> list[str]:
    """Passes to reach Kernel SHAP's error at the last count, with the interval over images."""
    lines = ["| method | passes | 95 % interval | share |", "|---|---|---|---|"]
    kernel = METHODS.index(KERNEL)
    draws = generator.integers(len(errors), size=(RESAMPLES, len(errors)))
    for m, name in enumerate(METHODS):
        passes = [reach(errors[rows], m, kernel) for rows in (np.arange(len(errors)), *draws)]
        low, high = np.quantile(
            passes[1:], [0.025, 0.975], method="inverted_cdf"
        )  # some never reach it
        interval = f"{say_passes(low)} to {say_passes(high)}"
        share = f"{passes[0] / MOST:.2f}" if np.isfinite(passes[0]) else "–"
        lines.append(f"| {name} | {say_passes(passes[0])} | {interval} | {share} |")
    return lines


def reach(errors: np.ndarray, method: int, kernel: int) -> float:
    means = errors.mean(0)
    return passes_to_reach(means[method], means[kernel, -1])


def say_passes(passes: float) -> str:
    return f"{passes:.0f}" if np.isfinite(passes) else f"more than {MOST}"


def stop_table(stops: np.ndarray) -> list[str]:
    """Passes and true error where the stop ended, by the error asked for.

    Args:
        stops: [draw, asked, (passes, error, reached)].
    """
    head = ["| asked for | passes | true error | not above it | not reached |", "|---" * 5 + "|"]
    for asked, (passes, error, reached) in zip(ASKED, np.moveaxis(stops, 0, 2), strict=True):
        ended = reached > 0
        held = f"{(error[ended] <= asked).mean():.0%}" if ended.any() else "–"
        cells = (f"{passes.mean():.0f}", f"{error.mean():.3f}", held, f"{1 - ended.mean():.0%}")
        head.append(f"| {asked} | " + " | ".join(cells) + " |")
    return head


def bound_table(errors: np.ndarray, bounds: np.ndarray, covered: np.ndarray) -> list[str]:
    """How often the bound of the error held, and the intervals of the values, by passes.

    Args:
        errors: [draw, passes] of the paired method.
        bounds: [draw, passes] of these errors.
        covered: [draw, passes], share of values inside their intervals.
    """
    known = np.isfinite(covered).all(0)
    head = ["| | " + " | ".join(str(n) for n in np.array(COUNTS)[known]) + " |"]
    rows = {
        "bound, mean": [f"{bound:.2f}" for bound in bounds[:, known].mean(0)],
        "error not above it": [f"{s:.0%}" for s in (errors <= bounds)[:, known].mean(0)],
        "values inside their interval": [f"{s:.1%}" for s in covered[:, known].mean(0)],
    }
    lines = [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items()]
    return [*head, "|---" * (int(known.sum()) + 1) + "|", *lines]


def draw(errors: np.ndarray, path: Path) -> None:
    """Error against passes, one curve per method, with the passes of equal error marked."""
    means: Mapping[str, np.ndarray] = dict(zip(METHODS, errors.mean(0), strict=True))
    with drawing(path, 6.4, 3.6) as figure:
        axes = figure.subplots()
        for (name, mean), colour in zip(means.items(), SERIES, strict=False):
            axes.plot(COUNTS, mean, color=colour, label=name, marker="o", markersize=3)
        axes.axhline(means[KERNEL][-1], color="grey", linewidth=0.8, linestyle="--")
        axes.set(xscale="log", yscale="log", xlabel="forwards", ylabel="relative error")
        axes.set(title=f"Shapley values of {len(errors)} images; dashed: Kernel SHAP at {MOST}")
        axes.set_xticks(COUNTS, [str(n) for n in COUNTS], minor=False)
        axes.minorticks_off()
        axes.set_yticks(
            [0.01, 0.02, 0.05, 0.1, 0.2, 0.5], ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5"]
        )
        axes.legend()
