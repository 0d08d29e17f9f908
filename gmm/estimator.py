"""The mixture as a scikit-learn estimator: a shell that validates, calls the functions, stores."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from gmm import criteria, density, em, initialization
from gmm.covariance import COVARIANCES, Covariance
from gmm.options import CovarianceType, FloatType, InitMethod
from gmm.parameters import Parameters
from gmm.validation import (
    check_feature_count,
    check_finite,
    check_sample_count,
    check_settings,
    check_shape,
    check_weights,
    checked_precision_factors,
    checked_tensor,
)

LARGEST_SEED = 2**31 - 1


class GaussianMixture(DensityMixin, BaseEstimator):
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

    def fit(self, X: ArrayLike | Tensor, y: Any = None) -> "GaussianMixture":
        """Estimates the parameters from samples X, n × d; ``y`` is ignored.

        Raises:
            ValueError: If a setting or a sample cannot be used, or if every restart collapses.
        """
        check_settings(self.get_params(deep=False))
        x = self._samples(X, fitting=True)
        check_sample_count(len(x), self.n_components)
        warm = self.warm_start and hasattr(self, "converged_")
        parameters, valid = self._warm_start(x) if warm else self._cold_start(x)
        runs = em.run(
            x,
            parameters,
            valid,
            self._covariance,
            reg_covar=self.reg_covar,
            tol=self.tol,
            max_iter=self.max_iter,
            lower_bound=self.lower_bound_ if warm else -math.inf,
        )
        self.set_fitted(runs.best(), dtype=x.dtype, as_tensors=isinstance(X, Tensor))
        if not self.converged_ and self.max_iter > 0:
            warnings.warn(
                f"the best of {runs.parameters.n_runs} runs did not converge to tol={self.tol:g} "
                f"in max_iter={self.max_iter}; increase max_iter or tol, or try another "
                f"init_params",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def set_fitted(
        self, run: em.Run, *, dtype: torch.dtype = torch.float64, as_tensors: bool = False
    ) -> "GaussianMixture":
        """Takes over a run that was fitted elsewhere, and answers as if ``fit`` had found it.

        Args:
            run: A mixture of ``n_components`` components of ``covariance_type``.
            dtype: Precision of the attributes.
            as_tensors: Whether attributes are tensors rather than arrays.
        """
        found, covariance = run.parameters, self._covariance
        shape = covariance.shape(found.n_components, found.n_features)
        chol = found.precisions_cholesky

        def exported(values: Tensor, shape: tuple[int, ...] = shape) -> Any:
            return _exported(values[0].reshape(shape).to(dtype), as_tensors)

        self.weights_ = exported(found.weights, (found.n_components,))
        self.means_ = exported(found.means, (found.n_components, found.n_features))
        self.precisions_cholesky_ = exported(chol)
        self.precisions_ = exported(covariance.precisions(chol))
        self.covariances_ = exported(covariance.covariances(chol))
        self.converged_ = run.converged
        self.n_iter_ = run.n_iter
        self.lower_bound_ = run.lower_bound
        self.lower_bounds_ = list(run.lower_bounds)
        self.n_features_in_ = found.n_features
        return self

    @property
    def parameters_(self) -> Parameters:
        """The fitted attributes as one value, a batch of one run."""
        check_is_fitted(self)
        means, chol = torch.as_tensor(self.means_), torch.as_tensor(self.precisions_cholesky_)
        inner = self._covariance.inner_shape(*means.shape)
        return Parameters(
            torch.as_tensor(self.weights_)[None], means[None], chol.reshape(1, *inner)
        )

    def fit_predict(self, X: ArrayLike | Tensor, y: Any = None) -> Any:
        """Fits, and returns the most probable component of each sample; ``y`` is ignored."""
        return self.fit(X).predict(X)

    def predict(self, X: ArrayLike | Tensor) -> Any:
        """The most probable component of each sample."""
        return self._evaluated(density.labels, X)

    def predict_proba(self, X: ArrayLike | Tensor) -> Any:
        """Probability of each component given the sample, n × k."""
        return self._evaluated(density.responsibilities, X)

    def score_samples(self, X: ArrayLike | Tensor) -> Any:
        """Log density of each sample in nats; for tensors, differentiable with respect to X."""
        return self._evaluated(density.log_density, X)

    def score(self, X: ArrayLike | Tensor, y: Any = None) -> float:
        """Mean log density of a sample in nats; ``y`` is ignored."""
        return float(self.score_samples(X).mean())

    def bic(self, X: ArrayLike | Tensor) -> float:
        """Bayesian information criterion on X; the lower the better."""
        log_densities = self.score_samples(X)
        n_parameters = criteria.n_parameters(self.parameters_, self._covariance)
        return criteria.bic(float(log_densities.sum()), len(log_densities), n_parameters)

    def aic(self, X: ArrayLike | Tensor) -> float:
        """Akaike information criterion on X; the lower the better."""
        n_parameters = criteria.n_parameters(self.parameters_, self._covariance)
        return criteria.aic(float(self.score_samples(X).sum()), n_parameters)

    def sample(self, n_samples: int = 1) -> tuple[Any, Any]:
        """Draws samples, n × d, and the components they come from, component by component.

        Raises:
            ValueError: If ``n_samples`` is below 1.
        """
        parameters = self.parameters_
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples}, expected at least 1")
        source = initialization.generators(self._seeds(1))[0]
        x, component = density.draw(parameters, self._covariance, n_samples, source)
        as_tensors = isinstance(self.means_, Tensor)
        return _exported(x, as_tensors), _exported(component, as_tensors)

    @property
    def _covariance(self) -> Covariance:
        return COVARIANCES[self.covariance_type]

    def _seeds(self, count: int) -> list[int]:
        return seeds_of(self.random_state, count)

    def _samples(self, X: ArrayLike | Tensor, *, fitting: bool) -> Float[Tensor, "n d"]:
        """X as a tensor, checked, in the precision and on the device to compute with."""
        if isinstance(X, Tensor):
            x = checked_tensor(X)
            if fitting:
                self.n_features_in_ = x.shape[1]
            check_feature_count(x.shape[1], self.n_features_in_, type(self).__name__)
        else:
            # Finiteness is checked below: scikit-learn's own check names no row.
            checked: Any = validate_data(
                self,
                X,  # type: ignore[reportArgumentType] - inferred from its default, a string
                dtype=[np.float64, np.float32],
                reset=fitting,
                ensure_all_finite=False,
                ensure_min_samples=2 if fitting else 1,
            )
            # A read-only array, such as a memory map, is never written to; torch warns anyway.
            x = torch.from_numpy(checked if checked.flags.writeable else checked.copy())
        check_finite(x)
        dtype = x.dtype if self.dtype is None else getattr(torch, self.dtype)
        return x.to(self.device or x.device, dtype)

    def _cold_start(self, x: Float[Tensor, "n d"]) -> tuple[Parameters, Tensor]:
        """One start per restart, with the user's initial values in the place of its own."""
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
        seeds = self._seeds(self.n_init)
        start = initialization.start(x, self.n_components, self.init_params, seeds)
        found, valid = start.parameters(x, self._covariance, self.reg_covar)
        return found.overridden(weights, means, chol), valid | (chol is not None)

    def _initial(self, name: str, x: Tensor, shape: tuple[int, ...]) -> Tensor | None:
        given = getattr(self, name)
        if given is None:
            return None
        values = torch.as_tensor(given).to(x.device, torch.float64)
        check_shape(name, values, shape)
        return values

    def _warm_start(self, x: Float[Tensor, "n d"]) -> tuple[Parameters, Tensor]:
        valid = torch.ones(1, dtype=torch.bool, device=x.device)
        return self.parameters_.to(dtype=torch.float64, device=x.device), valid

    def _evaluated(self, function: Callable[..., Tensor], X: ArrayLike | Tensor) -> Any:
        """A function of samples and parameters, for the one run; returned as X came."""
        check_is_fitted(self)
        x = self._samples(X, fitting=False)
        values = function(x, self.parameters_, self._covariance)[0]
        if values.is_floating_point():
            values = values.to(x.dtype)
        return values.to(X.device) if isinstance(X, Tensor) else values.cpu().numpy()


def _exported(values: Tensor, as_tensor: bool) -> Any:
    return values if as_tensor else values.cpu().numpy()


def seeds_of(random_state: int | RandomState | None, count: int) -> list[int]:
    """One seed per restart; the first ones do not depend on how many there are."""
    return check_random_state(random_state).randint(LARGEST_SEED, size=count).tolist()
