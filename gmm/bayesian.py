"""The Bayesian mixture as a scikit-learn estimator, fitted by variational Bayes."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from jaxtyping import Bool, Float
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.utils import Tags
from torch import Tensor
from typing_extensions import override

from gmm.base import BaseMixture
from gmm.covariance import COVARIANCES, Covariance
from gmm.em.likelihood import regulariser
from gmm.em.missing import MISSING, MissingValues
from gmm.em.objective import Objective
from gmm.em.parameters import Estimate
from gmm.em.sticks import WEIGHT_PRIORS, WeightPrior
from gmm.em.variational import Posterior, Prior, VariationalBayes, moments
from gmm.options import (
    CovarianceType,
    FloatType,
    InitMethod,
    Missing,
    Regulariser,
    WeightPriorType,
)
from gmm.samples.in_memory import Samples
from gmm.samples.validation import read_numbers
from gmm.settings import check_shape

ASYMMETRY = 1e-4  # of a prior, relative to its greatest element: single precision gives 1e-7


class BayesianGaussianMixture(BaseMixture):
    """A mixture that uses no more of its components than the samples ask for.

    Everything means what it means in scikit-learn. Arrays in, arrays out; tensors in, tensors out.
    A sample weight counts samples, so that twice the weights are twice the evidence.

    Args:
        n_components: Largest number of Gaussians; those not needed end with a weight near 0.
        covariance_type: One matrix per component, one ``tied`` matrix, one variance per component
            and feature (``diag``), or one per component (``spherical``).
        tol: EM stops when the lower bound of all samples, in nats, changes by less.
        reg_covar: Added to every variance, in squared units of the samples. ``auto`` is 1e-6, but
            between 1e-14 and 1e-3 of the mean variance of a feature.
        max_iter: Largest number of iterations.
        n_init: Restarts, of which the one with the greatest lower bound is kept.
        init_params: Where EM starts; ``scaled_kmeans`` is k-means with every feature divided by its
            standard deviation.
        weight_concentration_prior_type: Whether weights follow a Dirichlet process or distribution.
        weight_concentration_prior: The smaller, the fewer components are used; None for
            1 / n_components.
        mean_precision_prior: How many samples the belief in ``mean_prior`` is worth; None for 1.
        mean_prior: Where components are expected, d; None for the mean of the samples.
        degrees_of_freedom_prior: How many samples the belief in ``covariance_prior`` is worth,
            above d - 1; None for d.
        covariance_prior: Scatter expected of one component: d × d, d (``diag``) or one number
            (``spherical``); None for the covariance of the samples.
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
            answers; whether one is missing must not depend on what it is. Priors that come from
            the samples take the mean of a feature in its place.

    Attributes:
        weights_: Expected mixing proportions, k.
        means_: Expected component means, k × d.
        covariances_: Inverses of the precisions: k × d × d, d × d, k × d or k, by covariance type.
        precisions_: Expected precisions.
        precisions_cholesky_: Upper factors U of the precisions U Uᵀ.
        weight_concentration_: Posterior of the weights: k numbers for a Dirichlet distribution; for
            a process, a pair of k numbers each, the parameters of Beta distributions.
        mean_precision_: How many samples each mean is worth, k.
        degrees_of_freedom_: How many each precision is worth, k; one number if ``tied``.
        weight_concentration_prior_: The value given, or the default; the same holds for
            ``mean_precision_prior_``, ``mean_prior_``, ``degrees_of_freedom_prior_`` and
            ``covariance_prior_``.
        converged_: Whether the kept run met ``tol``.
        n_iter_: Its iterations.
        lower_bound_: Its bound of the evidence of all samples in nats, up to a constant.
        lower_bounds_: The bound after every iteration.
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
        tol: float = 1e-3,
        reg_covar: Regulariser = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: InitMethod = "kmeans",
        weight_concentration_prior_type: WeightPriorType = "dirichlet_process",
        weight_concentration_prior: float | None = None,
        mean_precision_prior: float | None = None,
        mean_prior: ArrayLike | Tensor | None = None,
        degrees_of_freedom_prior: float | None = None,
        covariance_prior: ArrayLike | Tensor | None = None,
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
        self.tol = tol
        self.reg_covar: Regulariser = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params: InitMethod = init_params
        self.weight_concentration_prior_type: WeightPriorType = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.mean_precision_prior = mean_precision_prior
        self.mean_prior = mean_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.covariance_prior = covariance_prior
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.device = device
        self.dtype: FloatType | None = dtype
        self.missing: Missing = missing

    @property
    @override
    def _covariance(self) -> Covariance:
        return COVARIANCES[self.covariance_type]

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
    def _store_more(self, learned: Estimate, export: Callable[[Tensor], Any]) -> None:
        assert isinstance(learned, Posterior)
        n_components, n_features, prior = learned.n_components, learned.n_features, self._prior

        def attribute(values: Tensor, shape: tuple[int, ...]) -> Any:
            return export(values.reshape(shape))[()]  # [()] makes a number of an array without axes

        per_matrix = axes(self._covariance, n_components, 0)
        sticks = attribute(learned.sticks, (n_components, 2))
        self.weight_concentration_ = self._weight_prior.publish(sticks)
        self.mean_precision_ = attribute(learned.mean_precision, (n_components,))
        self.degrees_of_freedom_ = attribute(learned.degrees_of_freedom, per_matrix)
        self.weight_concentration_prior_ = prior.weight_concentration
        self.mean_precision_prior_ = prior.mean_precision
        self.mean_prior_ = attribute(prior.mean, (n_features,))
        self.degrees_of_freedom_prior_ = prior.degrees_of_freedom
        per_component = axes(self._covariance, 0, n_features)
        self.covariance_prior_ = attribute(prior.covariance, per_component)

    @override
    def _cold_start(
        self, samples: Samples, objective: Objective
    ) -> tuple[Estimate, Bool[Tensor, " run"]]:
        return self._draw_start(samples, objective)

    @override
    def _objective(self, samples: Samples) -> Objective[Posterior]:
        self._prior = self._read_prior(samples)
        prior = self._prior.translate(-samples.reference)
        self.reg_covar_ = regulariser(self.reg_covar, samples)
        return VariationalBayes(self._covariance, self._weight_prior, prior, self.reg_covar_)

    @override
    def _fitted_parameters(self) -> Posterior:
        means = torch.as_tensor(self.means_)
        # A number that was saved comes back as Python's, of which torch would make float32.
        degrees = torch.as_tensor(self.degrees_of_freedom_, dtype=means.dtype)
        return Posterior(
            torch.as_tensor(self.weights_)[None],
            means[None],
            self._covariance.from_attributes(self),
            self._weight_prior.restore(self.weight_concentration_)[None],
            torch.as_tensor(self.mean_precision_)[None],
            degrees.reshape(1, -1),
        )

    @property
    def _weight_prior(self) -> WeightPrior:
        return WEIGHT_PRIORS[self.weight_concentration_prior_type]

    def _read_prior(self, samples: Samples) -> Prior:
        """The prior that the settings give; where one is None, it comes from the samples."""
        kind = self.weight_concentration_prior_type
        if kind not in WEIGHT_PRIORS:
            raise ValueError(
                f"weight_concentration_prior_type={kind!r}, expected one of "
                f"{', '.join(WEIGHT_PRIORS)}"
            )
        n_features = len(samples.reference)
        weight, mean, scatter = moments(samples, self._covariance)
        if self.mean_prior is not None:
            mean = _read_mean(self.mean_prior, mean)
        if self.covariance_prior is not None:
            covariance = _read_covariance(self.covariance_prior, scatter, self._covariance)
        elif weight > 1:
            covariance = scatter / (weight - 1)
        else:
            raise ValueError(
                f"sample_weight has sum {weight:.6g}, expected above 1, since it counts samples; "
                f"multiply it or pass covariance_prior"
            )
        return Prior(
            self._number("weight_concentration_prior", 1 / self.n_components, 0),
            self._number("mean_precision_prior", 1.0, 0),
            mean,
            self._number("degrees_of_freedom_prior", float(n_features), n_features - 1),
            covariance,
        )

    def _number(self, name: str, default: float, above: int) -> float:
        value = getattr(self, name)
        if value is None:
            return default
        if (
            not isinstance(value, Real)
            or isinstance(value, bool)
            or not above < float(value) < math.inf
        ):
            raise ValueError(
                f"{name}={value!r}, expected a finite number above {above}; "
                f"pass None for {default:g}"
            )
        return float(value)


def axes(covariance: Covariance, n_components: int, n_features: int) -> tuple[int, ...]:
    """The outer shape of covariances, without axes of length 0."""
    return tuple(size for size in covariance.shape(n_components, n_features) if size)


def _read_mean(given: ArrayLike | Tensor, mean: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
    values = read_numbers("mean_prior", given).to(mean)
    check_shape("mean_prior", values, tuple(mean.shape))
    if not values.isfinite().all():
        raise ValueError(
            f"mean_prior={values.tolist()}, expected finite numbers; pass None for the mean of "
            f"the samples"
        )
    return values


def _read_covariance(
    given: ArrayLike | Tensor, scatter: Float[Tensor, "..."], covariance: Covariance
) -> Float[Tensor, "..."]:
    values = read_numbers("covariance_prior", given).to(scatter)
    check_shape("covariance_prior", values, axes(covariance, 0, scatter.shape[0]))
    inner = values.reshape(1, 1, *scatter.shape)
    chol, valid = covariance.factorise(inner)
    error = (covariance.covariances(chol) - inner).abs().max()
    if not valid.all() or not error < ASYMMETRY * inner.abs().max():
        raise ValueError(
            "covariance_prior is not symmetric and positive definite, expected the scatter of one "
            "component; pass covariances of a fitted mixture or None"
        )
    return inner[0, 0]
