"""Samples with missing values: their expected statistics and their densities."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gmm.covariance import Covariance
from gmm.covariance.completion import Completion, Incomplete
from gmm.em.log_density import map_joint, normalise
from gmm.em.parameters import Estimate
from gmm.samples.in_memory import MOST_KEPT_BYTES, InMemory
from gmm.samples.patterns import Part, arrange
from gmm.samples.statistics import Statistics

SCORED_NUMBERS = 2**22  # samples arranged at a time to be scored: 32 MiB of float64


@dataclass(frozen=True)
class Holed:
    """Samples of which some miss values, sorted by which they miss.

    Args:
        x: Samples; their missing values are not read.
        missing: Where a value is missing.
        weights: How often each counts; None for once.
        reference: What statistics are taken about.
        n_components: Components of the mixtures that they meet.
        covariance: The covariance type of these.
    """

    x: Float[Tensor, "n d"]
    missing: Bool[Tensor, "n d"]
    weights: Float[Tensor, " n"] | None
    reference: Float[Tensor, " d"]
    n_components: int
    covariance: Covariance

    @cached_property
    def whole(self) -> InMemory | None:
        """The samples without missing values; None if there are none."""
        rows = (~self._is_incomplete).nonzero()[:, 0]
        weights = None if self.weights is None else self.weights[rows]
        return InMemory(self.x[rows], weights, self.reference) if len(rows) else None

    @cached_property
    def parts(self) -> list[Part]:
        """Where the others are, and how they are worked on together."""
        rows = self._is_incomplete.nonzero()[:, 0]
        if not len(self.x):  # the share of a process may be empty
            return [Part(rows, True, ())]
        by_pattern = self.covariance.couples_features
        parts = arrange(self.missing[rows], self.n_components, by_pattern=by_pattern)
        return [Part(rows[part.rows], part.few_missing, part.groups) for part in parts]

    @cached_property
    def _is_incomplete(self) -> Bool[Tensor, " n"]:
        return self.missing.any(1)

    def incomplete(self) -> Iterator[Incomplete]:
        """The samples with missing values, in the order of the parts; kept if they are few."""
        if self.x.numel() * 8 > MOST_KEPT_BYTES:
            return map(self._read, self.parts)
        return iter(self._kept)

    @cached_property
    def _kept(self) -> list[Incomplete]:
        return list(map(self._read, self.parts))

    def _read(self, part: Part) -> Incomplete:
        return part.read(self.x, self.missing, self.weights, self.reference)


def completed_statistics(
    parts: Iterable[Incomplete], parameters: Estimate, covariance: Covariance
) -> Iterator[Statistics]:
    """Expected statistics of samples with missing values.

    Args:
        parts: The samples, about a reference.
        parameters: Mixtures about the same.
        covariance: Their type.
    """
    complete = covariance.completer(parameters.precisions_cholesky, parameters.means)
    for part in parts:
        weights = torch.ones_like(part.x[0]) if part.weights is None else part.weights
        yield expected_sums(complete(part), weights, parameters)


def expected_sums(
    completion: Completion, weights: Float[Tensor, " n"], parameters: Estimate
) -> Statistics:
    """Expected statistics of samples that are not known as they are.

    Args:
        completion: What is known of them under each component.
        weights: How often each sample counts.
        parameters: The mixtures.
    """
    joint = parameters.log_weights[..., None] + completion.log_density
    log_density, resp = normalise(joint)
    resp, log_density = resp * weights, log_density * weights
    first, second = completion.moments(resp)
    return Statistics(weights.sum(), log_density.sum(-1), resp.sum(-1), first, second)


def map_completed(
    function: Callable[[Float[Tensor, "run k n"]], Tensor],
    x: Float[Tensor, "n d"],
    parameters: Estimate,
    covariance: Covariance,
) -> Iterator[Tensor]:
    """As :func:`gmm.em.log_density.map_joint`, of samples whose missing values are NaN.

    Of a sample of which nothing is known, the density is 1 under every component.
    """
    parameters = parameters.to(dtype=torch.float64, device=x.device)
    size = max(1, SCORED_NUMBERS // x.shape[1])
    for rows in x.split(size):
        yield function(_completed_joint(rows, parameters, covariance))


def _completed_joint(
    x: Float[Tensor, "n d"], parameters: Estimate, covariance: Covariance
) -> Float[Tensor, "run k n"]:
    reference, missing = parameters.centre, x.isnan()
    moved = parameters.translate(-reference)
    whole = (~missing.any(1)).nonzero()[:, 0]
    joints, order = [], [whole]
    if len(whole):
        joints += map_joint(lambda joint: joint, x[whole], parameters, covariance)
    holed = Holed(x, missing, None, reference, parameters.n_components, covariance)
    complete = covariance.completer(moved.precisions_cholesky, moved.means)
    lowest = torch.finfo(torch.float64).min
    for part, samples in zip(holed.parts, holed.incomplete(), strict=True):
        joint = moved.log_weights[..., None] + complete(samples).log_density
        joints.append(joint.nan_to_num(nan=lowest))
        order.append(part.rows)
    return torch.cat(joints, -1)[..., torch.cat(order).argsort()]
