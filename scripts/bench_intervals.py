"""How often 95 % intervals hold the true figure, and how wide they are: ours beside others.

python scripts/bench_intervals.py [KIND ...] [--replications N] [--sizes N ...]
cost: 20 min of one CPU core for all kinds at 2000 replications; expect: a Markdown table per kind

A cell is the share of the replications whose interval holds the true figure, in percent, and the
mean width. With 2000 replications its standard error is 0.5 points at 95 %; of shares of
independent images there is none, for all possible counts are summed. Where a sample allows no
interval it counts in neither; the last column has how often that is so.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from interval_cases import LAWS, TASKS, Drawn, Law, Task
from interval_methods import MEANS, delong_error, logit_interval, wilson
from scipy.stats import beta, binom

from cellxai.evaluation.association import associate
from cellxai.intervals import (
    difference_interval,
    grouped_share_interval,
    mean_interval,
    paired_difference_interval,
    share_interval,
)
from cellxai.intervals.level import NORMAL_QUANTILE, TAIL, Interval
from cellxai.intervals.resampling import draw_figures, interval_of_figure

SIZES = (5, 8, 20, 50, 300)
SHARES = (0.5, 0.8, 0.9, 0.95, 0.98)
CELLS = 10  # images of a group
N_DRAWN = 500  # resamples of a figure: their number moves its spread by 3 %
Intervals = Mapping[str, Interval | None]


@dataclass(frozen=True)
class Row:
    """One law at one size: by method, coverage in percent and mean width, and what has none."""

    of: str
    n: int
    cells: Mapping[str, tuple[float, float]]
    percent_without: float


def tally(of: str, n: int, truth: float, drawn: Iterator[Intervals]) -> Row:
    """Counts how often the intervals of many samples hold the truth."""
    ends: dict[str, list[Interval]] = {}
    n_drawn = n_without = 0
    for intervals in drawn:
        n_drawn += 1
        n_without += intervals["ours"] is None
        for name, interval in intervals.items():
            if interval is not None:
                ends.setdefault(name, []).append(interval)
    cells = {name: cell(np.array(own), truth) for name, own in ends.items()}
    return Row(of, n, cells, 100 * n_without / n_drawn)


def cell(ends: np.ndarray, truth: float) -> tuple[float, float]:
    """Share of the intervals that hold the truth, in percent, and their mean width."""
    low, high = ends.T
    holds = (low <= truth + 1e-12) & (truth - 1e-12 <= high)
    return 100 * float(holds.mean()), float((high - low).mean())


def means(n: int, replications: int) -> Iterator[Row]:
    """Means over n images."""
    for name, law in LAWS.items():
        values = law.draw(np.random.default_rng(n), (replications, n))
        yield tally(name, n, law.mean, means_of(values, law))


def means_of(values: np.ndarray, law: Law) -> Iterator[Intervals]:
    """The intervals of each sample under every method; none of equal values."""
    others = {name: method(values) for name, method in MEANS.items()}
    for row, sample in enumerate(values):
        ours = mean_interval(sample, *law.ends)
        of_others = {name: (low[row], high[row]) for name, (low, high) in others.items()}
        yield {name: ours and ends for name, ends in of_others.items()} | {"ours": ours}


def shares(n: int, _: int) -> Iterator[Row]:
    """Shares of n independent images; exact."""
    counts = np.arange(n + 1)
    methods = {
        "Wilson": np.stack(wilson(counts / n, n), 1),
        "Clopper-Pearson": np.nan_to_num(np.stack([
            np.where(counts == 0, 0, beta.ppf(TAIL, counts, n - counts + 1)),
            np.where(counts == n, 1, beta.ppf(1 - TAIL, counts + 1, n - counts)),
        ], 1)),
        "ours": np.array([share_interval(int(k), n) for k in counts]),
    }  # fmt: skip
    for p in (*SHARES, None):
        grid = np.linspace(0.0005, 0.9995, 1999) if p is None else np.array([p])
        weights = binom.pmf(counts, n, grid[:, None])
        cells = {}
        for name, ends in methods.items():
            holds = (ends[:, 0] <= grid[:, None]) & (grid[:, None] <= ends[:, 1])
            covered = 100 * (weights * holds).sum(1)
            width = float((weights @ (ends[:, 1] - ends[:, 0])).mean())
            cells[name] = float(covered.min() if p is None else covered[0]), width
        yield Row("worst of all shares" if p is None else f"{p:g}", n, cells, 0.0)


def grouped(n: int, replications: int) -> Iterator[Row]:
    """Shares of images in n groups of ten, which share their difficulty."""
    for mean in (0.5, 0.8, 0.95):
        generator = np.random.default_rng(n)
        drawn = (grouped_share(generator, n, mean) for _ in range(replications))
        yield tally(f"share {mean:g}, groups of {CELLS}", n, mean, drawn)


def grouped_share(generator: np.random.Generator, n_groups: int, mean: float) -> Intervals:
    """One sample of groups; ten images of one say as much as two to three."""
    units = np.repeat(np.arange(n_groups), CELLS)
    of_group = generator.beta(3 * mean, 3 * (1 - mean), n_groups)
    right = generator.random(len(units)) < of_group[units]
    low, high = wilson(right.mean(), len(right))
    return {
        "Wilson of the images": (float(low), float(high)),
        "ours": grouped_share_interval(right, units),
    }


def figures(n: int, replications: int) -> Iterator[Row]:
    """Figures of n images or groups, half of each class."""
    for name, task in TASKS.items():
        yield figure_row(name, task, n, replications)


def figure_row(name: str, task: Task, n: int, replications: int) -> Row:
    """One figure at one size."""
    generator = np.random.default_rng(n)
    drawn = (
        figure_intervals(task.draw(generator, n), "groups" in name) for _ in range(replications)
    )
    assert task.truth is not None
    return tally(name, n, task.truth, drawn)


def figure_intervals(drawn: Drawn, grouped: bool) -> Intervals:
    """The percentiles of its resamples, ours, and DeLong's of an area."""
    ((figure, (value,)),) = drawn.statistics(np.ones((1, len(drawn.units)))).items()
    resampled = draw_figures(drawn.statistics, drawn.units, N_DRAWN, 0)[figure]
    defined = resampled[~np.isnan(resampled)]
    low, high = np.quantile(defined, [TAIL, 1 - TAIL])
    intervals: dict[str, Interval | None] = {
        "percentile": (low, high) if high - low > 1e-12 else None,
        "ours": interval_of_figure(float(value), resampled, drawn.units, drawn.n_surest),
    }
    if figure == "auroc" and drawn.scores is not None and not grouped:
        error = delong_error(*drawn.scores)
        wald = (value - NORMAL_QUANTILE * error, value + NORMAL_QUANTILE * error)
        intervals["DeLong"] = wald if error else None
        intervals["DeLong, logit"] = logit_interval(float(value), error) if error else None
    return intervals


def differences(n: int, replications: int) -> Iterator[Row]:
    """Differences of two shares, of the same n images and of n others."""
    for first, second in ((0.8, 0.8), (0.9, 0.7), (0.95, 0.9)):
        generator = np.random.default_rng(n)
        drawn = (difference(generator, n, first, second) for _ in range(replications))
        yield tally(f"{second:g} − {first:g}, other images", n, second - first, drawn)
        generator = np.random.default_rng(n)
        drawn = (paired(generator, n, first, second) for _ in range(replications))
        yield tally(f"{second:g} − {first:g}, same images", n, second - first, drawn)


def difference(generator: np.random.Generator, n: int, first: float, second: float) -> Intervals:
    """One pair of samples of other images."""
    counts = generator.binomial(n, (first, second)).tolist()
    a, b = (share_interval(count, n) for count in counts)
    low, high = wilson(np.array(counts) / n, n)
    old = difference_interval(counts[0] / n, (low[0], high[0]), counts[1] / n, (low[1], high[1]))
    return {
        "Newcombe": old,
        "ours": a and b and difference_interval(counts[0] / n, a, counts[1] / n, b),
    }


def paired(generator: np.random.Generator, n: int, first: float, second: float) -> Intervals:
    """One sample of images, of which the difficult ones are wrong in both."""
    ease = generator.random(n)
    noise = (ease + generator.choice([0.0, 0.5], size=n)) % 1
    a, b = ease < first, noise < second
    return {"ours": paired_difference_interval(a, b, np.arange(n))}


def association(n: int, replications: int) -> Iterator[Row]:
    """Cramér's V of two columns of three values."""
    for strength in (0.1, 0.3, 0.6):
        generator = np.random.default_rng(n)
        draw = partial(column_pair, generator, n, strength)
        drawn = ({"ours": draw()} for _ in range(replications))
        yield tally(f"V {strength:g}", n, strength, drawn)


def column_pair(generator: np.random.Generator, n: int, strength: float) -> Interval | None:
    """The second column repeats the first in a share of the images, which is V."""
    first, second = generator.integers(3, size=(2, n))
    second = np.where(generator.random(n) < strength, first, second)
    pair = [np.unique(column, return_inverse=True)[1] for column in (first, second)]
    if min(column.max() for column in pair) < 1:
        return None
    return associate(*pair).interval


KINDS: Mapping[str, Callable[[int, int], Iterator[Row]]] = {
    "means": means, "shares": shares, "grouped": grouped, "figures": figures,
    "differences": differences, "association": association,
}  # fmt: skip


def table(rows: list[Row]) -> str:
    """Markdown: coverage and mean width by method, a row per law and size."""
    names = list(dict.fromkeys(name for row in rows for name in row.cells))
    names = [name for name in names if name != "ours"] + ["ours"]
    lines = [
        "| | n | " + " | ".join(names) + " | none |",
        "|---|---:" + "|---:" * len(names) + "|---:|",
    ]
    for row in rows:
        cells = (row.cells.get(name) for name in names)
        texts = ["" if c is None else f"{c[0]:.1f} ({c[1]:.3g})" for c in cells]
        without = f"{row.percent_without:.1f}" if row.percent_without else ""
        lines.append(f"| {row.of} | {row.n} | {' | '.join(texts)} | {without} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="how often 95 % intervals hold the true figure")
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], default=[])
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    given = parser.parse_args()
    for kind in given.kinds or KINDS:
        by_size = [list(KINDS[kind](n, given.replications)) for n in given.sizes]
        rows = [row for of_law in zip(*by_size, strict=True) for row in of_law]
        print(f"\n{kind}\n\n{table(rows)}", flush=True)


if __name__ == "__main__":
    main()
