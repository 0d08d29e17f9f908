"""What every mixture estimator does: a shell that validates, calls the functions, stores."""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from gmm import criteria, density, em, initialization
from gmm.covariance import COVARIANCES, Covariance
from gmm.objective import Objective
from gmm.options import CovarianceType, FloatType, InitMethod
from gmm.parameters import Parameters
from gmm.samples import InMemory, Samples
from gmm.validation import (
    check_feature_count,
    check_finite,
    check_sample_count,
    check_settings,
    checked_tensor,
    checked_weights,
)

LARGEST_SEED = 2**31 - 1


class BaseMixture(DensityMixin, BaseEstimator, ABC):
    """Fits by EM and answers; a subclass says what is climbed and from where."""

    n_components: int
    covariance_type: CovarianceType
    tol: float
    reg_covar: float
    max_iter: int
    n_init: int
    init_params: InitMethod
    random_state: int | RandomState | None
    warm_start: bool
    device: str | None
    dtype: FloatType | None

    means_: Any
    converged_: bool
    lower_bound_: float

    @abstractmethod
    def _objective(self, samples: Samples) -> Objective:
        """What the fit climbs, with the scale of the samples taken into account."""

    @abstractmethod
    def _fitted_parameters(self) -> Parameters:
        """The fitted attributes as one value, a batch of one run."""

    @abstractmethod
    def set_fitted(
        self, run: em.Run, *, dtype: torch.dtype = torch.float64, as_tensors: bool = False
    ) -> Self:
        """Takes over a run that was fitted elsewhere, and answers as if ``fit`` had found it.

        Args:
            run: A mixture of ``n_components`` components of ``covariance_type``.
            dtype: Precision of the attributes.
            as_tensors: Whether attributes are tensors rather than arrays.
        """

    def fit(
        self, X: ArrayLike | Tensor, y: Any = None, sample_weight: ArrayLike | Tensor | None = None
    ) -> Self:
        """Estimates the parameters.

        Args:
            X: Samples, n × d.
            y: Ignored.
            sample_weight: How often each sample counts, n numbers >= 0; None for once.

        Raises:
            ValueError: If a setting or a sample cannot be used, or if every restart collapses.
        """
        check_settings(self.get_params(deep=False))
        x = self._samples(X, fitting=True)
        check_sample_count(len(x), self.n_components)
        weights = None if sample_weight is None else checked_weights(sample_weight, x)
        samples = InMemory(x, weights)
        objective = self._objective(samples)
        warm = self.warm_start and hasattr(self, "converged_")
        start, valid = self._warm_start(x) if warm else self._cold_start(samples, objective)
        runs = em.run(
            samples,
            start,
            valid,
            objective,
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

    @property
    def parameters_(self) -> Parameters:
        """The fitted attributes as one value, a batch of one run."""
        check_is_fitted(self)
        return self._fitted_parameters()

    def fit_predict(
        self, X: ArrayLike | Tensor, y: Any = None, sample_weight: ArrayLike | Tensor | None = None
    ) -> Any:
        """Fits, and returns the most probable component of each sample; ``y`` is ignored."""
        return self.fit(X, y, sample_weight).predict(X)

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
        return exported(x, as_tensors), exported(component, as_tensors)

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

    def _cold_start(
        self, samples: InMemory, objective: Objective
    ) -> tuple[Parameters, Bool[Tensor, " run"]]:
        """One start per restart, and which are sound."""
        seeds = self._seeds(self.n_init)
        start = initialization.start(samples, self.n_components, self.init_params, seeds)
        return start.parameters(samples, objective)

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


def exported(values: Tensor, as_tensor: bool) -> Any:
    """The values as a tensor where they are, or as an array."""
    return values if as_tensor else values.cpu().numpy()


def seeds_of(random_state: int | RandomState | None, count: int) -> list[int]:
    """One seed per restart; the first ones do not depend on how many there are."""
    return check_random_state(random_state).randint(LARGEST_SEED, size=count).tolist()
