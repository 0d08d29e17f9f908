"""The mixture as a scikit-learn estimator, fitted by maximum likelihood."""

from typing import Any, Self

import torch
from jaxtyping import Bool
from numpy.random import RandomState
from numpy.typing import ArrayLike
from torch import Tensor
from typing_extensions import override

from gmm import em
from gmm.estimator_base import BaseMixture, exported
from gmm.likelihood import Likelihood, scaled_regulariser
from gmm.objective import Objective
from gmm.options import CovarianceType, FloatType, InitMethod
from gmm.parameters import Parameters
from gmm.samples import InMemory, Samples
from gmm.validation import check_shape, check_weights, checked_precision_factors


class GaussianMixture(BaseMixture):
    """A mixture of Gaussians fitted by EM, all restarts in one batch.

    Everything means what it means in scikit-learn. Arrays in, arrays out; tensors in, tensors out.

    Args:
        n_components: Gaussians in the mixture.
        covariance_type: One matrix per component, one ``tied`` matrix, one variance per component
            and feature (``diag``), or one per component (``spherical``).
        tol: EM stops when the mean log density of a sample, in nats, changes by less.
        reg_covar: Added to every variance, in squared units of the samples.
        max_iter: Iterations at most.
        n_init: Restarts, of which the one with the greatest lower bound is kept.
        init_params: Where EM starts.
        weights_init: Weights to start from, instead of those of ``init_params``.
        means_init: Likewise means.
        precisions_init: Likewise precisions, in the shape of ``precisions_``.
        random_state: An integer gives the same fit every time; a restart's result depends on its
            own seed alone.
        warm_start: Whether the next ``fit`` goes on from the last one.
        device: Where to compute, such as ``cuda``; None for where the samples are.
        dtype: Precision of samples and attributes, ``float32`` or ``float64``; None for that of
            the samples. Sums over samples are float64 in any case.

    Attributes:
        weights_: Mixing proportions, k.
        means_: Component means, k × d.
        covariances_: k × d × d, d × d, k × d or k, by covariance type.
        precisions_: Their inverses.
        precisions_cholesky_: Upper factors U of the precisions U Uᵀ.
        converged_: Whether the kept run met ``tol``.
        n_iter_: Its iterations.
        lower_bound_: Its mean log density of a training sample in nats, at the last E-step.
        lower_bounds_: The same for every iteration.
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: CovarianceType = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: InitMethod = "kmeans",
        weights_init: ArrayLike | Tensor | None = None,
        means_init: ArrayLike | Tensor | None = None,
        precisions_init: ArrayLike | Tensor | None = None,
        random_state: int | RandomState | None = None,
        warm_start: bool = False,
        device: str | None = None,
        dtype: FloatType | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type: CovarianceType = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params: InitMethod = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.device = device
        self.dtype: FloatType | None = dtype

    @override
    def set_fitted(
        self, run: em.Run, *, dtype: torch.dtype = torch.float64, as_tensors: bool = False
    ) -> Self:
        found, covariance = run.parameters, self._covariance
        shape = covariance.shape(found.n_components, found.n_features)
        chol = found.precisions_cholesky

        def attribute(values: Tensor, shape: tuple[int, ...] = shape) -> Any:
            return exported(values[0].reshape(shape).to(dtype), as_tensors)

        self.weights_ = attribute(found.weights, (found.n_components,))
        self.means_ = attribute(found.means, (found.n_components, found.n_features))
        self.precisions_cholesky_ = attribute(chol)
        self.precisions_ = attribute(covariance.precisions(chol))
        self.covariances_ = attribute(covariance.covariances(chol))
        self.converged_ = run.converged
        self.n_iter_ = run.n_iter
        self.lower_bound_ = run.lower_bound
        self.lower_bounds_ = list(run.lower_bounds)
        self.n_features_in_ = found.n_features
        return self

    @override
    def _objective(self, samples: Samples) -> Objective[Parameters]:
        regulariser = scaled_regulariser(self.reg_covar, samples.variance)
        return Likelihood(self._covariance, regulariser)

    @override
    def _fitted_parameters(self) -> Parameters:
        means, chol = torch.as_tensor(self.means_), torch.as_tensor(self.precisions_cholesky_)
        inner = self._covariance.inner_shape(*means.shape)
        return Parameters(
            torch.as_tensor(self.weights_)[None], means[None], chol.reshape(1, *inner)
        )

    @override
    def _cold_start(
        self, samples: InMemory, objective: Objective
    ) -> tuple[Parameters, Bool[Tensor, " run"]]:
        """One start per restart, with the user's initial values in the place of its own."""
        x = samples.x
        shape = (self.n_components, x.shape[1])
        weights = self._initial("weights_init", x, shape[:1])
        means = self._initial("means_init", x, shape)
        chol = None
        if self.precisions_init is not None:
            precisions = torch.as_tensor(self.precisions_init).to(x.device, torch.float64)
            chol = checked_precision_factors(precisions, self._covariance, *shape)
        if weights is not None:
            check_weights(weights)
        if weights is not None and means is not None and chol is not None:
            # Every restart would be the same run.
            start = Parameters(weights[None], means[None], chol)
            return start, torch.ones(1, dtype=torch.bool, device=x.device)
        found, valid = super()._cold_start(samples, objective)
        return found.overridden(weights, means, chol), valid | (chol is not None)

    def _initial(self, name: str, x: Tensor, shape: tuple[int, ...]) -> Tensor | None:
        given = getattr(self, name)
        if given is None:
            return None
        values = torch.as_tensor(given).to(x.device, torch.float64)
        check_shape(name, values, shape)
        return values
