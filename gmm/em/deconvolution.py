"""EM of samples with known noise: the mixture of what they were without it."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from jaxtyping import Bool, Float, Shaped
from numpy.typing import ArrayLike
from torch import Tensor
from typing_extensions import override

from gmm.covariance import Covariance
from gmm.covariance.noise import Noisy
from gmm.em.completion import expected_sums
from gmm.em.objective import Maximum, Objective, P
from gmm.em.parameters import Estimate
from gmm.memory import budget_of
from gmm.samples.in_memory import InMemory, Samples
from gmm.samples.noise import read_noise
from gmm.samples.statistics import Statistics, total

COPIES = 4  # numbers per element of a covariance, sample and component that a step writes


class Deconvolved(Objective[P]):
    """The likelihood of samples with noise: Bovy, Hogg & Roweis (2011), arXiv:0905.2979.

    The M-step and the bound are those of samples without noise, with expected statistics in the
    place of theirs. Samples are taken so many at a time that their covariances fit into
    ``chunk_bytes`` of :mod:`gmm.memory` for each run.

    Args:
        complete: The objective without noise.
        noise_covariances: Noise of each sample, see :func:`gmm.samples.noise.read_noise`.
        samples: The samples.

    Raises:
        ValueError: If the noise cannot be used, or the samples are in chunks or in processes.
    """

    def __init__(
        self, complete: Objective[P], noise_covariances: ArrayLike | Tensor, samples: Samples
    ) -> None:
        super().__init__(complete.covariance)
        self.complete = complete
        check_in_memory(samples)
        assert isinstance(samples, InMemory)
        self.known = _known(samples)
        self.noise = read_noise(noise_covariances, samples.x, self.known)

    @override
    def expectation(self, samples: Samples, parameters: P, *, double: bool = False) -> Statistics:
        assert isinstance(samples, InMemory)
        parts = split_noisy(
            samples.x, self.known, self.noise, samples.weights, samples.reference,
            self._size(parameters.n_components),
        )  # fmt: skip
        return total(self._expect(part, parameters) for part in parts)

    def _size(self, n_components: int) -> int:
        return noisy_size(self.noise, n_components, self.covariance)

    def _expect(self, part: Noisy, parameters: P) -> Statistics:
        chol, means = parameters.precisions_cholesky, parameters.means
        completion = self.covariance.complete_noisy(chol, means, part)
        weights = torch.ones_like(part.x[:, 0]) if part.weights is None else part.weights
        return expected_sums(completion, weights, parameters)

    @override
    def maximise(self, statistics: Statistics) -> Maximum[P]:
        return self.complete.maximise(statistics)

    @override
    def lower_bound(self, statistics: Statistics, before: P, after: P) -> Float[Tensor, " run"]:
        return self.complete.lower_bound(statistics, before, after)


def check_in_memory(samples: object) -> None:
    """Refuses samples that are not one matrix, whose noise could not be told apart.

    Raises:
        ValueError: If they are chunks or shares.
    """
    if not isinstance(samples, InMemory | Tensor):
        raise ValueError(
            f"noise_covariances came with samples in parts, {type(samples).__name__}, expected one "
            f"matrix, n × d; read them into one array (gmm.read_matrix for a file)"
        )


def noisy_size(noise: Float[Tensor, "n d *d"], n_components: int, covariance: Covariance) -> int:
    """Samples at a time: few where each has a matrix per component."""
    numbers = budget_of(noise.device).chunk_bytes // 8
    d = noise.shape[1]
    is_matrix = noise.ndim == 3 or len(covariance.inner_shape(n_components, d)) == 3
    return max(1, numbers // (COPIES * n_components * (d * d if is_matrix else d)))


def split_noisy(
    x: Float[Tensor, "n d"],
    known: Bool[Tensor, "n d"],
    noise: Float[Tensor, "n d *d"],
    weights: Float[Tensor, " n"] | None,
    reference: Float[Tensor, " d"],
    size: int,
) -> Iterator[Noisy]:
    """The samples about a reference, at most ``size`` at a time."""
    for first in range(0, len(x), size):
        part = slice(first, first + size)
        centred = (x[part].double() - reference).where(known[part], 0.0)
        share = None if weights is None else weights[part]
        yield Noisy(centred, known[part], noise[part], share)


def evaluate_noisy(
    noise_covariances: ArrayLike | Tensor,
    function: Callable[..., Shaped[Tensor, "run n *rest"]],
    x: Float[Tensor, "n d"],
    parameters: Estimate,
    covariance: Covariance,
) -> Shaped[Tensor, "run n *rest"]:
    """The values of ``function`` for samples with noise, see :mod:`gmm.em.missing`."""
    return function(x, parameters, covariance, mapped=partial(map_noisy, noise_covariances))


def map_noisy(
    noise_covariances: ArrayLike | Tensor,
    function: Callable[[Float[Tensor, "run k n"]], Tensor],
    x: Float[Tensor, "n d"],
    parameters: Estimate,
    covariance: Covariance,
) -> Iterator[Tensor]:
    """As :func:`gmm.em.log_density.map_joint`, of samples with noise, NaN where one is missing."""
    known = ~x.isnan()
    noise = read_noise(noise_covariances, x, known)
    parameters = parameters.to(dtype=torch.float64, device=x.device)
    reference = parameters.centre
    moved = parameters.translate(-reference)
    size = noisy_size(noise, moved.n_components, covariance)
    for part in split_noisy(x, known, noise, None, reference, size):
        completion = covariance.complete_noisy(moved.precisions_cholesky, moved.means, part)
        joint = moved.log_weights[..., None] + completion.log_density
        yield function(joint.nan_to_num(nan=torch.finfo(joint.dtype).min))


def _known(samples: InMemory) -> Bool[Tensor, "n d"]:
    if samples.missing is None:
        return torch.ones_like(samples.x, dtype=torch.bool)
    return ~samples.missing
