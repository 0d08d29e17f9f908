"""Conditional mixtures of many samples at once: mixture regression."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gmm.covariance import Covariance
from gmm.covariance.completion import put
from gmm.em.conditioning import others
from gmm.em.log_density import normalise
from gmm.em.parameters import Estimate
from gmm.samples.patterns import arrange

BLOCK_NUMBERS = 2**23  # of matrices that are factorised at a time: 64 MiB of float64


@dataclass(frozen=True)
class ConditionalMixtures:
    """One mixture of the target features for each sample, given its other features.

    Their mean is the regression of Ghahramani & Jordan (1994), section 5: smooth, and with a
    spread of its own for each sample.

    Args:
        weights: Mixing proportions of each sample's mixture.
        means: Means of its components.
        factors: Lower Cholesky factors of the covariances, which depend on nothing but which
            features are given: one for each such set.
        pattern: Which of them each sample has.
    """

    weights: Float[Tensor, "n k"]
    means: Float[Tensor, "n k t"]
    factors: Float[Tensor, "p k t t"]
    pattern: Int[Tensor, " n"]

    @property
    def covariances(self) -> Float[Tensor, "n k t t"]:
        """Covariances of the components of each sample's mixture."""
        return (self.factors @ self.factors.mT)[self.pattern]

    @property
    def mean(self) -> Float[Tensor, "n t"]:
        """Expected targets, the prediction of least squared error."""
        return (self.weights[..., None] * self.means).sum(1)

    @property
    def covariance(self) -> Float[Tensor, "n t t"]:
        """Covariance of the targets about the prediction: within components and between them."""
        deviations = self.means - self.mean[:, None]
        between = (deviations * self.weights[..., None]).mT @ deviations
        return between + (self.weights[..., None, None] * self.covariances).sum(1)

    def log_prob(self, targets: Float[Tensor, "n t"]) -> Float[Tensor, " n"]:
        """Log density of the targets of each sample in nats, differentiable."""
        deviations = (targets.to(self.means)[:, None] - self.means)[..., None]
        factors = self.factors[self.pattern]
        whitened = torch.linalg.solve_triangular(factors, deviations, upper=False)[..., 0]
        log_determinant = factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        constant = targets.shape[1] / 2 * math.log(2 * math.pi)
        joint = self.weights.log() - log_determinant - constant - whitened.square().sum(-1) / 2
        return joint.logsumexp(1)

    def sample(
        self, n_samples: int = 1, generator: torch.Generator | None = None
    ) -> Float[Tensor, "draw n t"]:
        """Independent targets of each sample.

        Args:
            n_samples: How many to draw for each.
            generator: Source of random numbers on the CPU; None for torch's own.
        """
        n, _, t = self.means.shape
        drawn = torch.multinomial(self.weights.cpu(), n_samples, True, generator=generator)
        component, row = drawn.T.to(self.pattern.device), torch.arange(n).to(self.pattern.device)
        noise = torch.randn(n_samples, n, t, 1, dtype=self.means.dtype, generator=generator)
        spread = self.factors[self.pattern, component] @ noise.to(self.means.device)
        return self.means[row, component] + spread[..., 0]


def condition_rows(
    parameters: Estimate,
    covariance: Covariance,
    given: Int[Tensor, " given"],
    values: Float[Tensor, "n given"],
) -> ConditionalMixtures:
    """The mixtures of the other features, for every row of given values.

    Args:
        parameters: Parameters of all features, a batch of one run.
        covariance: Their type.
        given: Indices of the features that are given.
        values: Their values for each sample; NaN for those that are not known of it.
    """
    n, k, g = len(values), parameters.n_components, len(given)
    kept = others(given, parameters.n_features)
    order = torch.cat([given, kept])
    dense = covariance.dense(parameters.precisions_cholesky, k, len(order))[0]
    matrices, means = dense[:, order[:, None], order], parameters.means[0][:, order]
    level, centre = parameters.log_weights[0][:, None, None], means[:, g:, None, None]
    joint = values.new_zeros(k, n + 1)
    expected = values.new_zeros(k, len(kept), n + 1)
    pattern = torch.zeros(n + 1, dtype=torch.int64, device=values.device)
    factors, n_patterns = [], 0
    for samples in _blocks(values, k, len(order)):
        block = _condition(matrices, means[:, :g], values[samples.clamp(max=n - 1)])
        joint = put(joint, samples, level + block.log_density)
        expected = put(expected, samples, centre + block.shift)
        index = torch.arange(len(samples), device=values.device)[:, None] + n_patterns
        pattern = put(pattern, samples, index.expand_as(samples))
        factors.append(block.factor)
        n_patterns += len(samples)
    weights = normalise(joint[None, :, :n])[1][0].T
    expected = expected[..., :n].permute(2, 0, 1)
    return ConditionalMixtures(weights, expected, torch.cat(factors), pattern[:n])


def _blocks(
    values: Float[Tensor, "n given"], n_components: int, n_features: int
) -> Iterator[Int[Tensor, "p w"]]:
    """Samples with the same features given, a row each, padded with n."""
    most = max(1, BLOCK_NUMBERS // (n_components * n_features**2))
    for part in arrange(values.isnan(), n_components):
        columns = torch.cat([part.rows, part.rows.new_tensor([len(values)])])
        for group in part.groups:
            yield from columns[group.samples].split(most)


class _Block(NamedTuple):
    """Conditionals of some samples: their density, the shift of the means, and the factors."""

    log_density: Float[Tensor, "k p w"]
    shift: Float[Tensor, "k t p w"]
    factor: Float[Tensor, "p k t t"]


def _condition(
    matrices: Float[Tensor, "k d d"],
    means: Float[Tensor, "k given"],
    values: Float[Tensor, "p w given"],
) -> _Block:
    """One factorisation gives it all: of the given features, and of what they leave open."""
    known = ~values[:, 0].isnan()
    g, t = means.shape[1], matrices.shape[1] - means.shape[1]
    is_real = torch.cat([known, known.new_ones(len(known), t)], 1)
    eye = torch.eye(g + t, dtype=matrices.dtype, device=matrices.device)
    blocks = matrices.where((is_real[:, :, None] & is_real[:, None])[:, None], eye)
    lower = torch.linalg.cholesky_ex(blocks).L
    deviations = (values[:, None] - means[:, None]).where(known[:, None, None], 0.0)
    first = lower[..., :g, :g]
    whitened = torch.linalg.solve_triangular(first, deviations.mT, upper=False)
    n_known = known.sum(1, dtype=values.dtype)[:, None, None]
    level = first.diagonal(dim1=-2, dim2=-1).log().sum(-1)[..., None]
    log_density = whitened.square().sum(-2) / -2 - level - n_known * (math.log(2 * math.pi) / 2)
    shift = lower[..., g:, :g] @ whitened
    return _Block(log_density.transpose(0, 1), shift.permute(1, 2, 0, 3), lower[..., g:, g:])
