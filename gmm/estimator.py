"""The mixture as a scikit-learn estimator, fitted by maximum likelihood."""

from collections.abc import Callable
from typing import Any, Self

import torch
from jaxtyping import Bool
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.utils import Tags
from torch import Tensor
from typing_extensions import override

from gmm.base import BaseMixture
from gmm.conversion import as_attribute, refuse_chunks
from gmm.covariance import Covariance, covariance_of
from gmm.em import stepwise
from gmm.em.held import Held, HeldLikelihood
from gmm.em.likelihood import Likelihood, regulariser
from gmm.em.loop import Run
from gmm.em.missing import MISSING, MissingValues
from gmm.em.objective import Objective
from gmm.em.parameters import Estimate, Parameters
from gmm.options import CovarianceType, FloatType, InitMethod, Missing, Regulariser
from gmm.precision import full_precision
from gmm.samples.in_memory import InMemory, Samples
from gmm.samples.placement import as_floats
from gmm.samples.validation import read_numbers, validate_weights
from gmm.settings import (
    FIXED,
    check_fixed,
    check_initial,
    check_plain,
    check_settings,
    check_shape,
    check_weights,
    factorise_initial_precisions,
    read_fixed,
)


class GaussianMixture(BaseMixture):
    """A mixture of Gaussians fitted by EM, all restarts in one batch.

    Everything means what it means in scikit-learn. Arrays in, arrays out; tensors in, tensors out.

    Args:
        n_components: Number of Gaussians in the mixture.
        covariance_type: One matrix per component, one ``tied`` matrix, one variance per component
            and feature (``diag``), one per component (``spherical``), or ``low_rank``: factor
            analysers, for more features than a matrix per component could be learned for.
        rank: Columns of the loadings of ``low_rank``; at most as many as features are used.
        tol: EM stops when the mean log density of a sample, in nats, changes by less.
        reg_covar: Added to every variance, in squared units of the samples; of ``low_rank``, the
            least noise variance instead. ``auto`` is 1e-6, but between 1e-14 and 1e-3 of the mean
            variance of a feature: other units of all samples then give the same clusters.
        max_iter: Largest number of iterations.
        n_init: Restarts, of which the one with the greatest lower bound is kept.
        init_params: Where EM starts; ``scaled_kmeans`` is k-means with every feature divided by its
            standard deviation.
        weights_init: Weights to start from, instead of those of ``init_params``.
        means_init: Means to start from, instead of those of ``init_params``.
        precisions_init: Precisions to start from, in the shape of ``precisions_``.
        fixed_weights: Components whose weight keeps its value in ``weights_init``: k times True or
            False; None for none. The others share what is left.
        fixed_means: Components whose mean keeps its value in ``means_init``.
        fixed_covariances: Components whose covariance keeps its value in ``precisions_init``; of
            ``tied``, which has one, all or none.
        random_state: An integer gives the same fit every time; a restart's result depends on its
            own seed alone.
        warm_start: Whether the next ``fit`` goes on from the last one.
        verbose: 1 prints how each restart went, 2 with its bounds: after the fit, since all
            restarts run at once.
        verbose_interval: Iterations between the lines of a restart.
        device: Where to compute, such as ``cuda``; None for where the samples are.
        dtype: Precision of samples and attributes, ``float32`` or ``float64``; None for that of
            the samples. Sums over samples are float64 in any case.
        missing: ``marginalize`` takes NaN for a value that is not known, in ``fit`` and in all
            answers; whether one is missing must not depend on what it is. A sample of which
            nothing is known has log density 0 and the weights as its probabilities.

    Attributes:
        weights_: Mixing proportions, k.
        means_: Component means, k × d.
        covariances_: k × d × d, d × d, k × d or k, by covariance type; k × d × d and made only
            when asked for where they are ``low_rank``, and so are the next two.
        precisions_: Their inverses.
        precisions_cholesky_: Upper factors U of the precisions U Uᵀ.
        loadings_: W of the covariances W Wᵀ + diag(ψ), k × d × rank; for ``low_rank`` alone.
        noise_variances_: ψ of the same, k × d; for ``low_rank`` alone.
        converged_: Whether the kept run met ``tol``.
        n_iter_: Its iterations.
        lower_bound_: Its mean log density of a training sample in nats, at the last E-step.
        lower_bounds_: The bound after every iteration.
        n_held_parameters_: How many parameters the fixed ones are, which ``bic`` does not count.
        reg_covar_: The number that ``reg_covar`` stood for.
        diagnostics_: How every restart ended: ``lower_bound``, ``n_iter``, ``converged``,
            ``failed``; and ``added_variances``, what its covariances have been raised by beyond
            ``reg_covar``, feature by feature, so that they could be factorised: 0 as a rule.
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: CovarianceType = "full",
        rank: int = 8,
        tol: float = 1e-3,
        reg_covar: Regulariser = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: InitMethod = "kmeans",
        weights_init: ArrayLike | Tensor | None = None,
        means_init: ArrayLike | Tensor | None = None,
        precisions_init: ArrayLike | Tensor | None = None,
        fixed_weights: ArrayLike | Tensor | None = None,
        fixed_means: ArrayLike | Tensor | None = None,
        fixed_covariances: ArrayLike | Tensor | None = None,
        random_state: int | RandomState | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        device: str | None = None,
        dtype: FloatType | None = None,
        missing: Missing = "error",
    ) -> None:
        self.n_components = n_components
        self.covariance_type: CovarianceType = covariance_type
        self.rank = rank
        self.tol = tol
        self.reg_covar: Regulariser = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params: InitMethod = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.fixed_weights = fixed_weights
        self.fixed_means = fixed_means
        self.fixed_covariances = fixed_covariances
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.device = device
        self.dtype: FloatType | None = dtype
        self.missing: Missing = missing

    @torch.no_grad()
    @full_precision()
    def partial_fit(
        self,
        X: ArrayLike | Tensor,
        y: Any = None,
        sample_weight: ArrayLike | Tensor | None = None,
        *,
        step_decay: float = 0.7,
    ) -> Self:
        """Learns from one more batch of samples, by stepwise EM (Cappé & Moulines 2009).

        The first call fits the first batch, which should be large enough to show every component;
        after ``fit``, it goes on from that. ``lower_bounds_`` grows by the mean log density of each
        batch before it is learned; ``converged_`` is False, since nobody knows what comes next.

        Args:
            X: Samples, n × d.
            y: Ignored.
            sample_weight: How often each sample counts, n numbers >= 0; None for once.
            step_decay: The last b of the n samples seen so far make up (b / n)^step_decay of what
                is known. At 1 all samples count alike; the lower, down to above 0.5, the sooner the
                first ones are forgotten.

        Raises:
            ValueError: If a setting or a sample cannot be used, or if a component collapses.
        """
        stepwise.check_decay(step_decay)
        if not hasattr(self, "converged_"):
            return self.fit(X, y, sample_weight)
        check_settings(vars(self))
        refuse_chunks(X, "partial_fit")
        x = self._samples(X, fitting=False)
        check_plain(self._covariance, "partial_fit")
        weights = None if sample_weight is None else validate_weights(sample_weight, x)
        parameters = self.parameters_.to(dtype=torch.float64, device=x.device)
        # A mixture from elsewhere does not say how many samples it has seen: as many as now.
        seen = getattr(self, "n_samples_seen_", float(len(x)))
        kept = getattr(self, "statistics_", None)
        memory = stepwise.remember(kept, parameters, self._covariance, seen)
        batch = self._missing_values.samples(x, weights, memory.points.reference)
        complete = self._objective(memory.points)
        objective = self._missing_values.objective(complete, batch)
        step = stepwise.step(batch, parameters, memory.statistics, objective, step_decay)
        return self._take(step, batch)

    def _take(self, step: stepwise.Step, batch: InMemory) -> Self:
        as_tensors = isinstance(self.means_, Tensor)
        bounds = (*self.lower_bounds_, step.lower_bound)
        run = Run(step.parameters, step.lower_bound, bounds, converged=False)
        self.set_fitted(run, dtype=batch.dtype, as_tensors=as_tensors)
        self.n_samples_seen_ = float(step.statistics.weight)
        kept = {**vars(step.statistics), "reference": batch.reference}
        self.statistics_ = {name: as_attribute(values, as_tensors) for name, values in kept.items()}
        return self

    @override
    def _objective(self, samples: Samples) -> Objective[Parameters]:
        self.reg_covar_ = regulariser(self.reg_covar, samples)
        likelihood = Likelihood(self._covariance, self.reg_covar_)
        held = self._held(samples.reference)
        shape = self.n_components, len(samples.reference)
        self.n_held_parameters_ = held.n_parameters(self._covariance, *shape)
        if held.is_empty:
            return likelihood
        return HeldLikelihood(likelihood, held.translate(-samples.reference))

    @override
    def _store_more(self, learned: Estimate, export: Callable[[Tensor], Any]) -> None:
        pass

    @override
    def _fitted_parameters(self) -> Parameters:
        weights, means = as_floats(self.weights_), as_floats(self.means_)
        check_weights(weights, "weights_", means.shape[:1])
        check_initial("means_", means)
        return Parameters(weights[None], means[None], self._covariance.from_attributes(self))

    @property
    @override
    def _covariance(self) -> Covariance:
        return covariance_of(self.covariance_type, self.rank)

    @property
    @override
    def _missing_values(self) -> MissingValues:
        return MISSING[self.missing]

    @override
    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "marginalize"
        return tags

    @override
    def _cold_start(
        self, samples: Samples, objective: Objective
    ) -> tuple[Estimate, Bool[Tensor, " run"]]:
        """One start per restart, with the user's initial values in the place of its own."""
        x = samples.reference
        weights, means, chol = self._initial_values(x)
        if weights is not None and means is not None and chol is not None:
            # Every restart would be the same run.
            start = Parameters(weights[None], means[None], chol)
            return start, torch.ones(1, dtype=torch.bool, device=x.device)
        estimate, valid = self._draw_start(samples, objective)
        return estimate.replace_values(weights, means, chol), valid | (chol is not None)

    def _initial_values(self, x: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Weights, means and precision factors that the user gave, on the device of ``x``."""
        shape = (self.n_components, len(x))
        weights = self._initial("weights_init", x, shape[:1])
        means = self._initial("means_init", x, shape)
        if weights is not None:
            check_weights(weights, "weights_init", shape[:1])
        if self.precisions_init is None:
            return weights, means, None
        precisions = read_numbers("precisions_init", self.precisions_init).to(x.device)
        check_initial("precisions_init", precisions)
        chol = factorise_initial_precisions(precisions, self._covariance, *shape)
        return weights, means, chol

    def _held(self, x: Tensor) -> Held:
        """What the fit keeps of the user's initial values."""
        if all(getattr(self, name) is None for name in FIXED):
            return Held()
        values = dict(zip(FIXED, self._initial_values(x), strict=True))
        masks = {
            name: read_fixed(name, getattr(self, name), initial, values[name], self.n_components)
            for name, initial in FIXED.items()
        }
        check_fixed(masks, self._covariance, self.covariance_type)
        return Held(
            *values.values(), **{k: m if m is None else m.to(x.device) for k, m in masks.items()}
        )

    def _initial(self, name: str, x: Tensor, shape: tuple[int, ...]) -> Tensor | None:
        given = getattr(self, name)
        if given is None:
            return None
        values = read_numbers(name, given).to(x.device)
        check_shape(name, values, shape)
        check_initial(name, values)
        return values
