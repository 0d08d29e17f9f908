"""Coalitions by leverage scores, without replacement: which superpixels each perturbed image shows.

The Shapley values solve a least squares problem with a row for each coalition (Charnes et al.
1988). Its leverage scores are known beforehand: all coalitions of a size together have 1, each of
them the same share (Musco and Witter 2025, arXiv:2410.01917, lemma 3.2). So every size is drawn
equally often, where Kernel SHAP draws sizes by their weight, and small and large ones again and
again.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from cellxai.explain.lime.samples import first_occurrences

ENDS = 2  # the coalition of all and that of nobody, which every image is asked about


@dataclass(frozen=True)
class Stratum:
    """Coalitions of one size, or pairs of one and the other's complement.

    Args:
        size: Players in a coalition, in the smaller of a pair.
        n_units: How many coalitions, or pairs, there are.
        leverage: Sum of their leverage scores.
        kernel: Sum of their weights in the regression, Σ (n−1) / (C(n, k) k (n−k)).
        is_middle: Whether both coalitions of a pair have this size.
    """

    size: int
    n_units: int
    leverage: float
    kernel: float
    is_middle: bool = False


@dataclass(frozen=True)
class Coalitions:
    """Coalitions of one image, in the order in which they are asked about.

    Any first part of the order is a sample of the same kind: a fixed number of each stratum, which
    is a random sample of it without replacement.

    Args:
        masks: Superpixels shown: all, none, then the coalitions, pair by pair where they are
            paired.
        strata: Which stratum each unit, a coalition or pair, was drawn from.
        of_sizes: The strata.
        paired: Whether a unit is a pair.
    """

    masks: Bool[Tensor, "n s"]
    strata: Int64[Tensor, " u"]
    of_sizes: tuple[Stratum, ...]
    paired: bool

    @property
    def n_players(self) -> int:
        """How many superpixels there are."""
        return self.masks.shape[1]

    @property
    def rows_per_unit(self) -> int:
        """How many coalitions belong together."""
        return 2 if self.paired else 1

    @property
    def n_rows(self) -> int:
        """How many coalitions there are, all and none included."""
        return len(self.masks)

    def units_in(self, n_rows: int) -> int:
        """How many units the first rows have."""
        return max(n_rows - ENDS, 0) // self.rows_per_unit

    def units_of_strata(self, n_rows: int) -> Float[Tensor, " k"]:
        """How many units of each stratum the first rows have."""
        drawn = self.strata[: self.units_in(n_rows)]
        return torch.bincount(drawn, minlength=len(self.of_sizes)).double()

    def weights(self, n_rows: int) -> Float[Tensor, " n"]:
        """Weight of each of the first rows: its kernel over the probability that it is among them.

        A stratum's rows share its kernel, so that the sums of the regression are right on average.
        All and none have no weight: the regression fulfils them exactly.
        """
        kernel = torch.tensor([stratum.kernel for stratum in self.of_sizes], dtype=torch.float64)
        rows = self.units_of_strata(n_rows) * self.rows_per_unit
        drawn = self.strata[: self.units_in(n_rows)].cpu()
        per_unit = kernel[drawn] / rows.cpu()[drawn]
        weights = per_unit.repeat_interleave(self.rows_per_unit)
        return torch.cat([weights.new_zeros(ENDS), weights]).to(self.masks.device)

    def sampled_shares(self, n_rows: int) -> Float[Tensor, " k"]:
        """Share of each stratum that is among the first rows: 1 leaves nothing to chance."""
        every = [float(stratum.n_units) for stratum in self.of_sizes]
        return self.units_of_strata(n_rows).cpu() / torch.tensor(every, dtype=torch.float64)


def strata_of(n_players: int, paired: bool) -> tuple[Stratum, ...]:
    """All strata of the coalitions that are neither all nor nobody."""
    sizes = range(1, n_players // 2 + 1) if paired else range(1, n_players)
    return tuple(_stratum(n_players, size, paired) for size in sizes)


def _stratum(n_players: int, size: int, paired: bool) -> Stratum:
    is_middle = paired and 2 * size == n_players
    sizes = 2 if paired and not is_middle else 1
    n_units = comb(n_players, size) // (2 if is_middle else 1)
    kernel = sizes * (n_players - 1) / (size * (n_players - size))
    return Stratum(size, n_units, float(sizes), kernel, is_middle)


def apportion(strata: tuple[Stratum, ...], n_units: int) -> Int64[Tensor, " u"]:
    """The stratum of the first, second, … unit, so that any first part is shared by leverage.

    By the divisors of Sainte-Laguë: the k-th unit of a stratum comes at (k − ½) / leverage. A
    stratum that is drawn to its end leaves the rest to the others.
    """
    counts = [min(stratum.n_units, n_units) for stratum in strata]
    times = [
        (torch.arange(count, dtype=torch.float64) + 0.5) / stratum.leverage
        for count, stratum in zip(counts, strata, strict=True)
    ]
    which = torch.arange(len(strata)).repeat_interleave(torch.tensor(counts, dtype=torch.long))
    if not len(which):
        return which
    return which[torch.cat(times).argsort(stable=True)][:n_units]


def draw_coalitions(n_players: int, n_rows: int, paired: bool, seed: int) -> Coalitions:
    """Coalitions of an image by leverage score, all of them where ``n_rows`` suffices.

    Args:
        n_players: Superpixels of the image.
        n_rows: Coalitions at most, all and none included.
        paired: Whether each comes with its complement.
        seed: The same seed draws the same.
    """
    generator = torch.Generator().manual_seed(seed)
    strata = strata_of(n_players, paired)
    order = apportion(strata, max(n_rows - ENDS, 0) // (2 if paired else 1))
    counts = torch.bincount(order, minlength=len(strata)).tolist()
    units = torch.zeros(len(order), n_players, dtype=torch.bool)
    for k, (stratum, count) in enumerate(zip(strata, counts, strict=True)):
        units[order == k] = _draw_units(n_players, stratum, count, generator)
    rows = torch.stack([units, ~units], 1).flatten(0, 1) if paired else units
    ends = torch.stack([torch.ones(n_players), torch.zeros(n_players)]).bool()
    return Coalitions(torch.cat([ends, rows]), order, strata, paired)


def _draw_units(
    n_players: int, stratum: Stratum, n_wanted: int, generator: torch.Generator
) -> Bool[Tensor, "u s"]:
    if not stratum.is_middle:
        return distinct_sets(n_players, stratum.size, n_wanted, generator)
    # Of a set and its complement the one that has the first player stands for both.
    others = distinct_sets(n_players - 1, stratum.size - 1, n_wanted, generator)
    return torch.cat([others.new_ones(len(others), 1), others], 1)


def distinct_sets(
    n_players: int, size: int, n_wanted: int, generator: torch.Generator
) -> Bool[Tensor, "u s"]:
    """Random sets of a size, in random order and none twice; at most as many as there are."""
    n_all = comb(n_players, size)
    n_wanted = min(n_wanted, n_all)
    if n_all <= 2 * n_wanted:
        members = torch.tensor(list(combinations(range(n_players), size)), dtype=torch.long)
        chosen = members.view(n_all, size)[torch.randperm(n_all, generator=generator)[:n_wanted]]
        return torch.zeros(n_wanted, n_players, dtype=torch.bool).scatter(1, chosen, True)
    sets = torch.zeros(0, n_players, dtype=torch.bool)
    while len(sets) < n_wanted:  # at most half are taken: few are drawn twice
        noise = torch.rand(2 * n_wanted, n_players, generator=generator)
        drawn = torch.cat([sets, noise.argsort(1).argsort(1) < size])
        first = first_occurrences(drawn)
        sets = drawn[first == torch.arange(len(drawn))]
    return sets[:n_wanted]
