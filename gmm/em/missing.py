"""Missing values, NaN in the samples: refused, or marginalised exactly.

How they are completed is in :mod:`gmm.covariance.completion`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from typing_extensions import override

from gmm.covariance import Covariance
from gmm.em.completion import Holed, completed_statistics, map_completed
from gmm.em.objective import Maximum, Objective, P
from gmm.em.parameters import Estimate
from gmm.options import Missing
from gmm.samples.in_memory import InMemory, Samples
from gmm.samples.statistics import Statistics, total
from gmm.samples.streaming import Surveyed
from gmm.samples.survey import check_known
from gmm.samples.validation import check_finite

Evaluate = Callable[..., Shaped[Tensor, "run n *rest"]]
"""A function of samples, mixtures, their type and a map of joint densities, such as
:func:`gmm.em.log_density.log_density`."""

STREAMED_NUMBERS = 2**22  # of a stream, arranged at a time: 32 MiB of float64


class MissingValues(ABC):
    """How an estimator treats NaN."""

    @abstractmethod
    def check(self, x: Float[Tensor, "n d"], name: str = "x") -> None:
        """Refuses the samples that it cannot use, naming row and column of ``name``."""

    @abstractmethod
    def samples(
        self,
        x: Float[Tensor, "n d"],
        weights: Float[Tensor, " n"] | None,
        about: Float[Tensor, " d"] | None = None,
    ) -> InMemory:
        """The samples as EM reads them, about a reference; None for their mean."""

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
    def check(self, x: Float[Tensor, "n d"], name: str = "x") -> None:
        check_finite(x, name)

    @override
    def samples(
        self,
        x: Float[Tensor, "n d"],
        weights: Float[Tensor, " n"] | None,
        about: Float[Tensor, " d"] | None = None,
    ) -> InMemory:
        return InMemory(x, weights, about)

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
    def check(self, x: Float[Tensor, "n d"], name: str = "x") -> None:
        check_finite(x.where(~x.isnan(), 0.0), name)

    @override
    def samples(
        self,
        x: Float[Tensor, "n d"],
        weights: Float[Tensor, " n"] | None,
        about: Float[Tensor, " d"] | None = None,
    ) -> InMemory:
        missing = x.isnan()
        if not missing.any():
            return InMemory(x, weights, about)
        means = known_means(x, weights, missing) if about is None else about
        return InMemory(x.where(~missing, means.to(x.dtype)), weights, about, missing)

    @override
    def objective(self, complete: Objective[P], samples: Samples) -> Objective[P]:
        return Completed(complete) if has_missing(samples) else complete

    @override
    def evaluate(
        self,
        function: Evaluate,
        x: Float[Tensor, "n d"],
        parameters: Estimate,
        covariance: Covariance,
    ) -> Shaped[Tensor, "run n *rest"]:
        if not x.isnan().any():
            return function(x, parameters, covariance)
        return function(x, parameters, covariance, mapped=map_completed)


MISSING: dict[Missing, MissingValues] = {"error": Refused(), "marginalize": Marginalised()}


def known_means(
    x: Float[Tensor, "n d"], weights: Float[Tensor, " n"] | None, missing: Bool[Tensor, "n d"]
) -> Float[Tensor, " d"]:
    """The means of the known values of each column, in their place for EM to find a start.

    Raises:
        ValueError: Naming a column of which no value is known.
    """
    shares = x.new_ones(len(x), dtype=torch.float64) if weights is None else weights
    known = shares @ (~missing).double()
    check_known(known)
    return shares @ x.where(~missing, 0.0).double() / known


def has_missing(samples: Samples) -> bool:
    """Whether a value of the samples is missing, in any process."""
    if isinstance(samples, Surveyed):
        return samples.survey.moments.n_missing > 0
    return isinstance(samples, InMemory) and samples.missing is not None


class Completed(Objective[P]):
    """The likelihood of the known values, by completing the missing ones.

    The M-step is that of complete samples, with expected statistics in the place of theirs. That of
    variational Bayes is too: given a component, the best posterior of a missing value is the
    conditional Gaussian under its mean and expected precision, and the entropy of that is part of
    what the bound takes from the statistics.

    Args:
        complete: The objective where nothing is missing.
    """

    def __init__(self, complete: Objective[P]) -> None:
        super().__init__(complete.covariance)
        self.complete = complete
        self._arranged: tuple[Samples, Holed] | None = None

    @override
    def expectation(self, samples: Samples, parameters: P, *, double: bool = False) -> Statistics:
        parts = (
            statistics
            for holed in self._holed(samples, parameters.n_components)
            for statistics in self._expect(holed, parameters, double)
        )
        return samples.pool(total(parts))

    def _expect(self, holed: Holed, parameters: P, double: bool) -> Iterator[Statistics]:
        if holed.whole is not None:
            yield self.complete.expectation(holed.whole, parameters, double=double)
        yield from completed_statistics(holed.incomplete(), parameters, self.covariance)

    def _holed(self, samples: Samples, n_components: int) -> Iterator[Holed]:
        """The samples, sorted by what they miss: once if they are in memory."""
        if isinstance(samples, InMemory):
            if self._arranged is None or self._arranged[0] is not samples:
                missing = torch.zeros_like(samples.x, dtype=torch.bool)
                missing = missing if samples.missing is None else samples.missing
                about, weights = samples.reference, samples.weights
                holed = Holed(samples.x, missing, weights, about, n_components, self.covariance)
                self._arranged = samples, holed
            yield self._arranged[1]
            return
        size = max(1, STREAMED_NUMBERS // len(samples.reference))
        for chunk in samples.chunks(self.covariance, size):
            x, origin = chunk.x.T, torch.zeros_like(samples.reference)
            yield Holed(x, x.isnan(), chunk.weights, origin, n_components, self.covariance)

    @override
    def maximise(self, statistics: Statistics) -> Maximum[P]:
        return self.complete.maximise(statistics)

    @override
    def lower_bound(self, statistics: Statistics, before: P, after: P) -> Float[Tensor, " run"]:
        return self.complete.lower_bound(statistics, before, after)
