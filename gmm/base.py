"""What every mixture estimator does: a shell that validates, calls the functions, stores."""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import torch
from jaxtyping import Bool, Float
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor
from typing_extensions import override

from gmm.answers import Answers, Noise
from gmm.conversion import as_attribute, as_source, check_fitted, draw_seeds, read_rows
from gmm.dense_attributes import DenseAttribute
from gmm.em import initialization, loop
from gmm.em.deconvolution import Deconvolved, check_in_memory, evaluate_noisy
from gmm.em.log_density import draw
from gmm.em.missing import MissingValues
from gmm.em.objective import Objective
from gmm.em.parameters import Estimate
from gmm.mixture import Mixture
from gmm.options import CovarianceType, FloatType, InitMethod, Regulariser
from gmm.precision import full_precision
from gmm.samples.chunks import as_chunks
from gmm.samples.in_memory import Samples
from gmm.samples.placement import read_device, read_dtype
from gmm.samples.streaming import start_size
from gmm.samples.validation import check_sample_count, validate_weights
from gmm.settings import check_draw, check_settings, check_warm_start

COVARIANCE_ATTRIBUTES = (
    "covariances_", "precisions_", "precisions_cholesky_", "loadings_", "noise_variances_"
)  # fmt: skip


class BaseMixture(Answers, DensityMixin, BaseEstimator, ABC):
    """Fits by EM and answers; a subclass says what is climbed and from where, and is final."""

    n_components: int
    covariance_type: CovarianceType
    tol: float
    reg_covar: Regulariser
    max_iter: int
    n_init: int
    init_params: InitMethod
    random_state: int | RandomState | None
    warm_start: bool
    verbose: int
    verbose_interval: int
    device: str | None
    dtype: FloatType | None

    covariances_ = DenseAttribute()
    precisions_ = DenseAttribute()
    precisions_cholesky_ = DenseAttribute()
    converged_: bool
    lower_bound_: float

    @property
    @abstractmethod
    def _missing_values(self) -> MissingValues:
        """What is done with NaN."""

    @abstractmethod
    def _objective(self, samples: Samples) -> Objective:
        """What the fit climbs, with the scale of the samples taken into account."""

    @abstractmethod
    def _cold_start(
        self, samples: Samples, objective: Objective
    ) -> tuple[Estimate, Bool[Tensor, " run"]]:
        """One start per restart, and which are sound."""

    @abstractmethod
    def _fitted_parameters(self) -> Estimate:
        """The fitted attributes as one value, a batch of one run."""

    @abstractmethod
    def _store_more(self, learned: Estimate, export: Callable[[Tensor], Any]) -> None:
        """Stores what a run has learned beside weights, means and covariances.

        Args:
            learned: What the run has learned, a batch of one.
            export: Makes an attribute, of the precision and kind of the others.
        """

    def set_fitted(
        self, run: loop.Run, *, dtype: torch.dtype = torch.float64, as_tensors: bool = False
    ) -> Self:
        """Takes over a run that was fitted elsewhere, and answers as if ``fit`` had found it.

        Args:
            run: A mixture of ``n_components`` components of ``covariance_type``.
            dtype: Precision of the attributes.
            as_tensors: Whether attributes are tensors rather than arrays.
        """
        learned = run.parameters

        def export(values: Tensor) -> Any:
            return as_attribute(values.detach().to(dtype), as_tensors)

        shown = self._covariance.attributes(learned.precisions_cholesky, *learned.means.shape[1:])
        for name in COVARIANCE_ATTRIBUTES:  # of an earlier fit, perhaps of another type
            vars(self).pop(name, None)
        self.weights_ = export(learned.weights[0])
        self.means_ = export(learned.means[0])
        for name, values in shown.items():
            setattr(self, name, export(values))
        self.converged_ = run.converged
        self.n_iter_ = run.n_iter
        self.lower_bound_ = run.lower_bound
        self.lower_bounds_ = list(run.lower_bounds)
        self.n_features_in_ = learned.n_features
        self._store_more(learned, export)
        return self

    @torch.no_grad()
    @full_precision()
    def fit(
        self,
        X: ArrayLike | Tensor,
        y: Any = None,
        sample_weight: ArrayLike | Tensor | None = None,
        *,
        noise_covariances: Noise = None,
    ) -> Self:
        """Estimates the parameters.

        Args:
            X: Samples, n × d; or a stream of chunks of them, see :class:`gmm.Chunks`; or one
                process's share of them, see :class:`gmm.Sharded`.
            y: Ignored.
            sample_weight: How often each sample counts, n numbers >= 0; None for once.
            noise_covariances: Known noise of each sample, variances n × d or covariances n × d × d,
                in squared units of X: the mixture is that of the samples without it (extreme
                deconvolution: Bovy, Hogg & Roweis 2011). Not for ``low_rank``, nor for chunks.

        Raises:
            ValueError: If a setting or a sample cannot be used, or if every restart collapses.
        """
        check_settings(vars(self))
        samples, as_tensors = self._read(X, sample_weight)
        check_sample_count(samples.n_samples, self.n_components)
        objective = self._expected(self._objective(samples), samples, noise_covariances)
        warm = self.warm_start and hasattr(self, "converged_")
        start, valid = self._warm_start(samples) if warm else self._cold_start(samples, objective)
        runs = loop.run(
            samples,
            start.apply(samples.agree),
            samples.agree(valid),
            objective,
            tol=float(self.tol),
            max_iter=self.max_iter,
            lower_bound=self.lower_bound_ if warm else -math.inf,
        )
        self.set_fitted(runs.best(), dtype=samples.dtype, as_tensors=as_tensors)
        self.diagnostics_ = runs.diagnostics()
        if self.verbose:
            print(runs.describe(self.verbose_interval, bounds=self.verbose > 1))
        self.n_samples_seen_ = samples.weight
        vars(self).pop("statistics_", None)
        if not self.converged_ and self.max_iter > 0:
            warnings.warn(
                f"the best of {runs.parameters.n_runs} runs did not converge to tol={self.tol:g} "
                f"in max_iter={self.max_iter}; increase max_iter or tol, or try another "
                f"init_params",
                ConvergenceWarning,
                stacklevel=4,
            )
        return self

    @property
    @override
    def parameters_(self) -> Estimate:
        """The fitted attributes as one value, a batch of one run."""
        check_fitted(self)
        return self._fitted_parameters()

    def as_module(self) -> Mixture:
        """The fitted mixture as a torch module, with a differentiable log density.

        For a Bayesian mixture, that is the mixture of the expected weights, means and precisions.
        """
        return Mixture(self.parameters_, self._covariance)

    def fit_predict(
        self, X: ArrayLike | Tensor, y: Any = None, sample_weight: ArrayLike | Tensor | None = None
    ) -> Any:
        """Fits, and returns the most probable component of each sample; ``y`` is ignored."""
        return self.fit(X, y, sample_weight).predict(X)

    @full_precision()
    def sample(
        self,
        n_samples: int = 1,
        *,
        component: int | None = None,
        random_state: int | RandomState | None = None,
    ) -> tuple[Any, Any]:
        """Draws samples, n × d, and the components they come from, component by component.

        Args:
            n_samples: Number of samples.
            component: The component to draw from; None for all, by their weights.
            random_state: Source of the draw; None for the ``random_state`` of the mixture.

        Raises:
            ValueError: If ``n_samples`` is below 1, or there is no such component.
        """
        parameters = self.parameters_
        check_draw(n_samples, component, parameters.n_components)
        state = self.random_state if random_state is None else random_state
        source = initialization.generators(draw_seeds(state, 1))[0]
        x, components = draw(parameters, self._covariance, n_samples, source, component)
        as_tensors = isinstance(self.means_, Tensor)
        return as_attribute(x, as_tensors), as_attribute(components, as_tensors)

    @property
    @override
    def _n_held(self) -> int:
        return getattr(self, "n_held_parameters_", 0)  # a mixture from elsewhere has none

    def _samples(self, X: ArrayLike | Tensor, *, fitting: bool) -> Float[Tensor, "n d"]:
        """X as a tensor, checked, in the precision and on the device to compute with."""
        device, dtype = read_device(self.device), read_dtype(self.dtype)
        x = read_rows(self, X, fitting=fitting)
        self._missing_values.check(x)
        return x.to(device or x.device, dtype or x.dtype)

    def _read(self, X: Any, sample_weight: Any) -> tuple[Samples, bool]:
        """X as samples to fit, and whether the answer is tensors."""
        source = as_source(X)
        if source is None:
            x = self._samples(X, fitting=True)
            weights = None if sample_weight is None else validate_weights(sample_weight, x)
            return self._missing_values.samples(x, weights), isinstance(X, Tensor)
        device, dtype = read_device(self.device), read_dtype(self.dtype)
        samples = source.samples(sample_weight, device, dtype, self._missing_values.check)
        self.n_features_in_ = len(samples.reference)
        return samples, samples.survey.as_tensors

    def _expected(self, complete: Objective, samples: Samples, noise: Noise) -> Objective:
        """The objective of what is known of the samples."""
        if noise is None:
            return self._missing_values.objective(complete, samples)
        return Deconvolved(complete, noise, samples)

    def _draw_start(
        self, samples: Samples, objective: Objective
    ) -> tuple[Estimate, Bool[Tensor, " run"]]:
        """One start per restart by ``init_params``, and which are sound."""
        seeds = samples.agree(torch.tensor(draw_seeds(self.random_state, self.n_init))).tolist()
        drawn = samples.draw(start_size(self.n_components, len(samples.reference)), seeds[0])
        start = initialization.start(drawn, self.n_components, self.init_params, seeds)
        return start.parameters(drawn, objective)

    def _warm_start(self, samples: Samples) -> tuple[Estimate, Tensor]:
        device, width = samples.reference.device, len(samples.reference)
        check_warm_start(tuple(self.means_.shape), (self.n_components, width))
        parameters = self.parameters_.to(dtype=torch.float64, device=device)
        return parameters, torch.ones(1, dtype=torch.bool, device=device)

    @override
    @full_precision()
    def _evaluate(
        self,
        function: Callable[..., Tensor],
        X: Any,
        *,
        ordered: bool = True,
        noise: Noise = None,
    ) -> Any:
        """A function of samples and parameters, for the one run; returned as X came."""
        check_fitted(self)
        source = as_chunks(X)
        if source is not None:
            if noise is not None:
                check_in_memory(source)
            check = self._missing_values.check
            evaluate = partial(self._evaluate, function)
            return source.apply(evaluate, ordered=ordered, check=check)
        x = self._samples(X, fitting=False)
        treat = self._missing_values.evaluate if noise is None else partial(evaluate_noisy, noise)
        values = treat(function, x, self.parameters_, self._covariance)[0]
        if values.is_floating_point():
            values = values.to(x.dtype)
        return values.to(X.device) if isinstance(X, Tensor) else as_attribute(values, False)
