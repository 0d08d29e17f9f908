"""What a fitted mixture says of samples: their components, densities, and criteria of the fit."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike
from torch import Tensor

from gmm.covariance import Covariance
from gmm.em import criteria
from gmm.em.log_density import labels, log_density, responsibilities
from gmm.em.parameters import Estimate

Noise = ArrayLike | Tensor | None
"""Known noise of samples, see :meth:`gmm.base.BaseMixture.fit`."""


class Answers(ABC):
    """The methods that score; a subclass says how a function of samples is evaluated."""

    @property
    @abstractmethod
    def parameters_(self) -> Estimate:
        """The fitted attributes as one value, a batch of one run."""

    @property
    @abstractmethod
    def _covariance(self) -> Covariance:
        """The mathematics of the covariance type."""

    @property
    @abstractmethod
    def _n_held(self) -> int:
        """Number of parameters that the fit did not learn."""

    @abstractmethod
    def _evaluate(
        self,
        function: Callable[..., Tensor],
        X: Any,
        *,
        ordered: bool = True,
        noise: Noise = None,
    ) -> Any:
        """A function of samples and parameters, for the one run; returned as X came."""

    def predict(self, X: ArrayLike | Tensor, *, noise_covariances: Noise = None) -> Any:
        """The most probable component of each sample, whose noise may be known as in ``fit``."""
        return self._evaluate(labels, X, noise=noise_covariances)

    def predict_proba(self, X: ArrayLike | Tensor, *, noise_covariances: Noise = None) -> Any:
        """Probability of each component given the sample, n × k; noise as in ``fit``."""
        return self._evaluate(responsibilities, X, noise=noise_covariances)

    def score_samples(self, X: ArrayLike | Tensor, *, noise_covariances: Noise = None) -> Any:
        """Log density of each sample in nats; for tensors, differentiable with respect to X.

        With noise as in ``fit``, it is that of the sample as measured.
        """
        return self._evaluate(log_density, X, noise=noise_covariances)

    def score(
        self,
        X: ArrayLike | Tensor,
        y: Any = None,
        sample_weight: ArrayLike | Tensor | None = None,
        *,
        noise_covariances: Noise = None,
    ) -> float:
        """Mean log density of a sample in nats, each as often as it counts; ``y`` is ignored."""
        ordered = sample_weight is not None
        scores = self._evaluate(log_density, X, ordered=ordered, noise=noise_covariances)
        return criteria.mean_log_density(scores, sample_weight)

    def bic(
        self,
        X: ArrayLike | Tensor,
        sample_weight: ArrayLike | Tensor | None = None,
        *,
        noise_covariances: Noise = None,
    ) -> float:
        """Bayesian information criterion on X, each as often as it counts; the lower the better."""
        log_likelihood = self._log_likelihood(X, sample_weight, noise_covariances)
        return criteria.bic(*log_likelihood, self._n_learned)

    def aic(
        self,
        X: ArrayLike | Tensor,
        sample_weight: ArrayLike | Tensor | None = None,
        *,
        noise_covariances: Noise = None,
    ) -> float:
        """Akaike information criterion on X, each as often as it counts; the lower the better."""
        log_likelihood, _ = self._log_likelihood(X, sample_weight, noise_covariances)
        return criteria.aic(log_likelihood, self._n_learned)

    @property
    def _n_learned(self) -> int:
        return criteria.n_parameters(self.parameters_, self._covariance) - self._n_held

    def _log_likelihood(self, X: Any, sample_weight: Any, noise: Noise) -> tuple[float, float]:
        scores = self._evaluate(log_density, X, ordered=sample_weight is not None, noise=noise)
        return criteria.log_likelihood(scores, sample_weight)
