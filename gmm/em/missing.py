"""Missing values, NaN in the samples: refused, or marginalised exactly.

The marginal of a Gaussian is a Gaussian again, so densities of the known values need no
imputation; EM completes the missing ones by their conditional mean and covariance:
Ghahramani & Jordan (1994), Supervised learning from incomplete data via an EM approach.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from typing_extensions import override

from gmm.covariance import COVARIANCES, Covariance
from gmm.em.completion import completed_statistics, select_observed
from gmm.em.objective import Maximum, Objective, P
from gmm.em.parameters import Estimate
from gmm.options import Missing
from gmm.samples.in_memory import InMemory, Samples
from gmm.samples.statistics import Statistics, chunk_size, total
from gmm.samples.validation import check_finite

Evaluate = Callable[
    [Float[Tensor, "n d"], Estimate, Covariance], Shaped[Tensor, "run n *rest"]
]  # fmt: skip
"""A function of samples that are all there, such as :func:`gmm.em.log_density.log_density`."""


Pattern = tuple[Int[Tensor, " rows"], Bool[Tensor, " d"]]
"""Rows that miss the same features, and which these are."""


class MissingValues(ABC):
    """How an estimator treats NaN."""

    @abstractmethod
    def check(self, x: Float[Tensor, "n d"]) -> None:
        """Refuses the samples that it cannot use, naming row and column."""

    @abstractmethod
    def samples(self, x: Float[Tensor, "n d"], weights: Float[Tensor, " n"] | None) -> InMemory:
        """The samples as EM reads them."""

    @abstractmethod
    def objective(self, complete: Objective[P], samples: Samples) -> Objective[P]:
        """The objective of EM; ``complete`` is that of samples without NaN."""

    @abstractmethod
    def evaluate(
        self,
        function: Evaluate,
        x: Float[Tensor, "n d"],
        parameters: Estimate,
        covariance: Covariance,
    ) -> Shaped[Tensor, "run n *rest"]:
        """The values of ``function``, which takes samples without NaN, for these samples."""


class Refused(MissingValues):
    """NaN is an error."""

    @override
    def check(self, x: Float[Tensor, "n d"]) -> None:
        check_finite(x)

    @override
    def samples(self, x: Float[Tensor, "n d"], weights: Float[Tensor, " n"] | None) -> InMemory:
        return InMemory(x, weights)

    @override
    def objective(self, complete: Objective[P], samples: Samples) -> Objective[P]:
        return complete

    @override
    def evaluate(
        self,
        function: Evaluate,
        x: Float[Tensor, "n d"],
        parameters: Estimate,
        covariance: Covariance,
    ) -> Shaped[Tensor, "run n *rest"]:
        return function(x, parameters, covariance)


class Marginalised(MissingValues):
    """NaN is an unknown value, and why it is unknown has nothing to do with the value."""

    @override
    def check(self, x: Float[Tensor, "n d"]) -> None:
        check_finite(x.where(~x.isnan(), 0.0))

    @override
    def samples(self, x: Float[Tensor, "n d"], weights: Float[Tensor, " n"] | None) -> InMemory:
        missing = x.isnan()
        return fill(x, weights, missing) if missing.any() else InMemory(x, weights)

    @override
    def objective(self, complete: Objective[P], samples: Samples) -> Objective[P]:
        if not isinstance(samples, InMemory) or samples.missing is None:
            return complete
        if not complete.covariance.plain_moments:
            raise ValueError(
                f"{int(samples.missing.sum())} values are NaN, expected none to fit this "
                f"covariance_type; fit one of {', '.join(COVARIANCES)}, or fill them in"
            )
        return Completed(complete, patterns(samples.missing))

    @override
    def evaluate(
        self,
        function: Evaluate,
        x: Float[Tensor, "n d"],
        parameters: Estimate,
        covariance: Covariance,
    ) -> Shaped[Tensor, "run n *rest"]:
        missing = x.isnan()
        if not missing.any():
            return function(x, parameters, covariance)
        parameters = parameters.to(dtype=torch.float64, device=x.device)
        order, values = [], []
        for rows, absent in patterns(missing):
            values.append(function(*select_observed(x[rows], ~absent, parameters, covariance)))
            order.append(rows)
        return torch.cat(values, 1)[:, torch.cat(order).argsort()]


MISSING: dict[Missing, MissingValues] = {"error": Refused(), "marginalize": Marginalised()}


def fill(
    x: Float[Tensor, "n d"], weights: Float[Tensor, " n"] | None, missing: Bool[Tensor, "n d"]
) -> InMemory:
    """Samples with the means of their columns in the place of NaN, for EM to find a start.

    Raises:
        ValueError: Naming a column of which no value is known.
    """
    shares = x.new_ones(len(x), dtype=torch.float64) if weights is None else weights
    known = shares @ (~missing).double()
    if not known.all():
        column = int((known == 0).nonzero()[0, 0])
        raise ValueError(
            f"column {column} of x is NaN in every sample that counts, expected at least one "
            f"value; leave the column out"
        )
    means = shares @ x.where(~missing, 0.0).double() / known
    return InMemory(x.where(~missing, means.to(x.dtype)), weights, missing=missing)


def patterns(
    missing: Bool[Tensor, "n d"],
) -> list[Pattern]:
    """The rows that miss the same features, and those features, for every such set."""
    kinds, pattern = missing.unique(dim=0, return_inverse=True)
    rows = pattern.argsort(stable=True).split(pattern.bincount(minlength=len(kinds)).tolist())
    return list(zip(rows, kinds, strict=True))


class Completed(Objective[P]):
    """The likelihood of the known values, by completing the missing ones.

    The M-step is that of complete samples, with expected statistics in the place of theirs.

    Args:
        complete: The objective where nothing is missing.
        patterns: See :func:`patterns`; every iteration needs the same ones.
    """

    def __init__(self, complete: Objective[P], patterns: Sequence[Pattern]) -> None:
        super().__init__(complete.covariance)
        self.complete = complete
        self.patterns = patterns

    @override
    def expectation(self, samples: Samples, parameters: P, *, double: bool = False) -> Statistics:
        assert isinstance(samples, InMemory)
        parts = (
            self._expect_pattern(samples, rows, absent, parameters, double)
            for rows, absent in self.patterns
        )
        return samples.pool(total(parts))

    def _expect_pattern(
        self,
        samples: InMemory,
        rows: Int[Tensor, " rows"],
        absent: Bool[Tensor, " d"],
        parameters: P,
        double: bool,
    ) -> Statistics:
        part = InMemory(
            samples.x[rows],
            None if samples.weights is None else samples.weights[rows],
            samples.reference,
        )
        if not absent.any():
            return self.complete.expectation(part, parameters, double=double)
        size = chunk_size(self.covariance, parameters.n_components, parameters.n_features)
        return total(
            completed_statistics(chunk, absent, parameters, self.covariance)
            for chunk in part.chunks(self.covariance, size)
        )

    @override
    def maximise(self, statistics: Statistics) -> Maximum[P]:
        return self.complete.maximise(statistics)

    @override
    def lower_bound(self, statistics: Statistics, before: P, after: P) -> Float[Tensor, " run"]:
        return self.complete.lower_bound(statistics, before, after)
