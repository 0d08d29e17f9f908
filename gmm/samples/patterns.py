"""Which samples miss the same values: few large computations instead of one for each sample."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gmm.covariance.completion import Group, Incomplete
from gmm.memory import budget_of
from gmm.samples.in_memory import centre
from gmm.samples.statistics import SMALLEST_CHUNK

WORD = 31  # features whose pattern is one number, so that two of them fit into 64 bits
COPIES = 8  # numbers per value and component that an E- and M-step writes to memory
SIZES = torch.tensor([0, 1, *(step * 2**power for power in range(30) for step in (2, 3))])
# A pattern is padded to the next of 1, 2, 3, 4, 6, 8, 12, …, so that few sizes occur.


class Patterns(NamedTuple):
    """The different patterns of missing values, on the CPU.

    Args:
        missing: What each misses.
        order: All samples, those of the first pattern first.
        counts: Number of samples of each.
    """

    missing: Bool[Tensor, "p d"]
    order: Int[Tensor, " n"]
    counts: Int[Tensor, " p"]


class Pieces(NamedTuple):
    """Patterns, of which those with many samples are cut, in the order they are worked on.

    Args:
        pattern: Which pattern each is of.
        start: The first of its samples in the order of the patterns.
        count: Number of its samples.
        size: Features to solve for, padded.
        width: Number of samples, padded.
        few_missing: Whether the pattern misses fewer features than it knows.
    """

    pattern: Int[Tensor, " c"]
    start: Int[Tensor, " c"]
    count: Int[Tensor, " c"]
    size: Int[Tensor, " c"]
    width: Int[Tensor, " c"]
    few_missing: Bool[Tensor, " c"]

    def select(self, which: Int[Tensor, " some"] | slice) -> "Pieces":
        """Some of the pieces."""
        return Pieces(*(values[which] for values in self))


@dataclass(frozen=True)
class Part:
    """Samples whose patterns are completed at a time: indices alone.

    Args:
        rows: Which samples, in the order of the columns of the result.
        few_missing: See :class:`gmm.covariance.completion.Incomplete`.
        groups: See :class:`gmm.covariance.completion.Incomplete`.
    """

    rows: Int[Tensor, " n"]
    few_missing: bool
    groups: tuple[Group, ...]

    def read(
        self,
        x: Float[Tensor, "all d"],
        missing: Bool[Tensor, "all d"],
        weights: Float[Tensor, " all"] | None,
        reference: Float[Tensor, " d"],
    ) -> Incomplete:
        """The samples of the part, out of all."""
        known = ~missing[self.rows].T
        values = centre(x[self.rows], reference).where(known, 0.0)
        weights = None if weights is None else weights[self.rows]
        return Incomplete(values, known, self.few_missing, self.groups, weights)


def arrange(
    missing: Bool[Tensor, "n d"], n_components: int, *, by_pattern: bool = True
) -> Iterator[Part]:
    """All samples in parts, each of which has few sizes of patterns and fits into a CPU's cache.

    On a GPU a part is as large as fills it. The memory of one E- and M-step is about that of a
    part, ``chunk_bytes`` of :mod:`gmm.memory`, for each run.

    Args:
        missing: Which values are missing.
        n_components: Components of each run.
        by_pattern: Whether it matters which values are missing together; if not, the parts have
            the order of the samples, and no groups.
    """
    device, d = missing.device, missing.shape[1]
    budget = budget_of(device).chunk_bytes // (8 * n_components)
    budget = max(budget, SMALLEST_CHUNK * COPIES * d)
    if not by_pattern:
        rows = torch.arange(len(missing), device=device)
        yield from (Part(part, True, ()) for part in rows.split(budget // (COPIES * d)))
        return
    if len(missing) == 1:  # to score one sample is a common call
        yield _single(missing)
        return
    patterns = find_patterns(missing.cpu())
    pieces = cut(patterns, budget // (COPIES * d))
    numbers = COPIES * d * pieces.count + 4 * pieces.size.square()
    numbers = numbers + 3 * pieces.size * pieces.width
    part = 2 * (numbers.cumsum(0) // budget) + ~pieces.few_missing
    ends = part.unique_consecutive(return_counts=True)[1].cumsum(0).tolist()
    for first, end in zip([0, *ends], ends, strict=False):
        yield _part(patterns, pieces.select(slice(first, end)), device)


def _single(missing: Bool[Tensor, "1 d"]) -> Part:
    """One sample, of which nothing has to be padded."""
    row = torch.zeros(1, dtype=torch.int64, device=missing.device)
    absent, known = missing[0].nonzero().T, (~missing[0]).nonzero().T
    few = absent.shape[1] <= known.shape[1]
    return Part(row, few, (Group(absent if few else known, row[None]),))


def find_patterns(missing: Bool[Tensor, "n d"]) -> Patterns:
    """The patterns that occur."""
    pattern = torch.zeros(len(missing), dtype=torch.int64)
    for word in missing.split(WORD, 1):
        powers = 2.0 ** torch.arange(word.shape[1], dtype=torch.float64)
        number = (word.double() @ powers).long()
        pattern = torch.unique(pattern * 2**WORD + number, return_inverse=True)[1]
    order, counts = pattern.argsort(stable=True), pattern.bincount()
    return Patterns(missing[order[counts.cumsum(0) - counts]], order, counts)


def cut(patterns: Patterns, most: int) -> Pieces:
    """The patterns in pieces of ``most`` samples, those of like size one after the other."""
    pieces = (patterns.counts + most - 1) // most
    pattern = torch.arange(len(pieces)).repeat_interleave(pieces)
    first = torch.arange(len(pattern)) - (pieces.cumsum(0) - pieces)[pattern]
    start = (patterns.counts.cumsum(0) - patterns.counts)[pattern] + first * most
    count = (patterns.counts[pattern] - first * most).clamp(max=most)
    d = patterns.missing.shape[1]
    n_missing = patterns.missing.sum(1)[pattern]
    few = 2 * n_missing <= d
    size = SIZES[torch.searchsorted(SIZES, n_missing.where(few, d - n_missing))].clamp(max=d)
    width = 2 ** count.double().log2().ceil().long()
    order = torch.arange(len(pattern))
    for key in (width, size, ~few):  # the last counts most
        order = order[key[order].argsort(stable=True)]
    return Pieces(pattern, start, count, size, width, few).select(order)


def _part(patterns: Patterns, pieces: Pieces, device: torch.device) -> Part:
    """The samples and groups of some pieces."""
    first = pieces.count.cumsum(0) - pieces.count
    n_rows = int(pieces.count.sum())
    rows = torch.arange(n_rows) + (pieces.start - first).repeat_interleave(pieces.count)
    kind = torch.stack([pieces.size, pieces.width], 1)
    ends = kind.unique_consecutive(dim=0, return_counts=True)[1].cumsum(0).tolist()
    few = bool(pieces.few_missing[0])
    groups = tuple(
        _group(patterns, pieces.select(slice(start, end)), first[start:end], n_rows, device)
        for start, end in zip([0, *ends], ends, strict=False)
    )
    return Part(patterns.order[rows].to(device), few, groups)


def _group(
    patterns: Patterns,
    pieces: Pieces,
    first: Int[Tensor, " c"],
    n_rows: int,
    device: torch.device,
) -> Group:
    """Pieces of one size and width, padded to it."""
    missing = patterns.missing[pieces.pattern]
    d = missing.shape[1]
    solved = missing if pieces.few_missing[0] else ~missing
    features = torch.arange(d).where(solved, d).sort(1).values[:, : int(pieces.size[0])]
    step = torch.arange(int(pieces.width[0]))
    samples = (first[:, None] + step).where(step < pieces.count[:, None], n_rows)
    return Group(features.to(device), samples.to(device))
