"""A fitted mixture as a torch module: differentiable, movable, and closed under conditioning."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily
from typing_extensions import override

from gmm.covariance import Covariance
from gmm.em import conditioning, log_density
from gmm.em.conditionals import ConditionalMixtures, condition_rows
from gmm.em.parameters import Estimate, Parameters
from gmm.precision import full_precision
from gmm.settings import check_draw


class Mixture(nn.Module):
    """One mixture of Gaussians whose log density is differentiable with respect to the samples.

    Weights, means and precision factors are buffers: they move with ``to``, are in
    ``state_dict``, and no optimiser trains them. Whatever their precision, densities are computed
    in float64 and returned in that of the samples.

    Args:
        parameters: A batch of one run.
        covariance: Its type.

    Raises:
        ValueError: If there are several runs.
    """

    weights: Float[Tensor, " k"]
    means: Float[Tensor, "k d"]
    precisions_cholesky: Float[Tensor, "..."]

    def __init__(self, parameters: Estimate, covariance: Covariance) -> None:
        super().__init__()
        if parameters.n_runs != 1:
            raise ValueError(
                f"parameters hold {parameters.n_runs} runs, expected one; take one with selected"
            )
        self.covariance = covariance
        self.register_buffer("weights", parameters.weights[0])
        self.register_buffer("means", parameters.means[0])
        self.register_buffer("precisions_cholesky", parameters.precisions_cholesky[0])

    def as_parameters(self) -> Parameters:
        """The buffers as the value that the functions of :mod:`gmm` take, a batch of one run."""
        return Parameters(self.weights[None], self.means[None], self.precisions_cholesky[None])

    @override
    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        return self.log_prob(x)

    @full_precision()
    def log_prob(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Log density in nats, differentiable with respect to ``x``."""
        rows = self._rows(x)
        values = log_density.log_density(rows, self.as_parameters(), self.covariance)
        return values[0].to(x.dtype).reshape(x.shape[:-1])

    @full_precision()
    def responsibilities(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        """Probability of each component given the sample, differentiable with respect to ``x``."""
        rows = self._rows(x)
        values = log_density.responsibilities(rows, self.as_parameters(), self.covariance)
        return values[0].to(x.dtype).reshape(*x.shape[:-1], -1)

    def _rows(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "n d"]:
        n_features = self.means.shape[1]
        if not isinstance(x, Tensor) or not x.ndim or x.shape[-1] != n_features:
            raise ValueError(
                f"x is a {type(x).__name__} of shape {tuple(getattr(x, 'shape', ()))}, expected a "
                f"tensor whose last axis has the {n_features} features; convert arrays with "
                f"torch.from_numpy"
            )
        return x.reshape(-1, n_features)

    @full_precision()
    def sample(
        self, n_samples: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Independent samples of the mixture.

        Args:
            n_samples: Number of samples.
            generator: Source of random numbers on the CPU; None for torch's own.
        """
        check_draw(n_samples, None, self.means.shape[0])
        source = torch.default_generator if generator is None else generator
        x, _ = log_density.draw(self.as_parameters(), self.covariance, n_samples, source)
        # They come component by component.
        return x[torch.randperm(n_samples, generator=source).to(x.device)]

    @full_precision()
    def covariance_matrices(self) -> Float[Tensor, "k d d"]:
        """The covariance of every component, written out whatever the type."""
        return self.covariance.dense(self.precisions_cholesky[None], *self.means.shape)[0]

    @full_precision()
    def to_distribution(self) -> MixtureSameFamily:
        """The same mixture in ``torch.distributions``."""
        components = self.covariance.distribution(self.precisions_cholesky[None], self.means[None])
        return MixtureSameFamily(Categorical(self.weights), components)

    @full_precision()
    def marginal(self, dims: Iterable[int]) -> "Mixture":
        """The mixture of the features ``dims``, in that order, whatever the others are.

        Raises:
            ValueError: If they are not different features of the mixture.
        """
        n_features = self.means.shape[1]
        kept = conditioning.validate_features(dims, n_features, n_features).to(self.means.device)
        parameters = conditioning.marginal(self.as_parameters(), self.covariance, kept)
        return Mixture(parameters, self.covariance)

    @full_precision()
    def condition(self, dims: Iterable[int], values: Float[Tensor, " given"]) -> "Mixture":
        """The mixture of all other features, ascending, where ``dims`` have the given values.

        Args:
            dims: Features that are known; not all of them.
            values: One number for each.

        Raises:
            ValueError: If they are not different features, or not as many values.
        """
        n_features = self.means.shape[1]
        given = conditioning.validate_features(dims, n_features, n_features - 1)
        known = torch.as_tensor(values).to(self.means)
        if known.shape != given.shape or not known.isfinite().all():
            raise ValueError(
                f"values={known.tolist()}, expected {len(given)} finite numbers, one for each of "
                f"dims={given.tolist()}"
            )
        parameters = conditioning.condition(
            self.as_parameters(), self.covariance, given.to(known.device), known
        )
        return Mixture(parameters, self.covariance)

    @full_precision()
    def condition_rows(
        self, dims: Iterable[int], values: Float[Tensor, "n given"]
    ) -> ConditionalMixtures:
        """The mixture of all other features, ascending, for each row of given values.

        Its ``mean`` is mixture regression: what is expected of the other features. Differentiable
        with respect to ``values``, computed in float64. Beside what it returns, it takes memory of
        a fixed size; it keeps one covariance per component and set of features that are given.

        Args:
            dims: Features that are known; not all of them.
            values: One number for each and sample; NaN where it is not known after all.

        Raises:
            ValueError: If they are not different features, or not as many values.
        """
        n_features = self.means.shape[1]
        given = conditioning.validate_features(dims, n_features, n_features - 1)
        rows = torch.as_tensor(values).to(self.means.device, torch.float64)
        if rows.ndim != 2 or rows.shape[1] != len(given) or not len(rows) or rows.isinf().any():
            raise ValueError(
                f"values has shape {tuple(rows.shape)}, expected (n, {len(given)}): a row per "
                f"sample of finite numbers or NaN, one for each of dims={given.tolist()}"
            )
        parameters = self.as_parameters().to(dtype=torch.float64, device=rows.device)
        return condition_rows(parameters, self.covariance, given.to(rows.device), rows)
