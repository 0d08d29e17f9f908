"""The interface of a covariance type."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.distributions import Distribution

from gmm.covariance.completion import Completion, Incomplete
from gmm.covariance.cost import Task
from gmm.covariance.noise import Noisy

_FITTING: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
# By estimator, the factors last seen to be some of its type: to look through them again takes
# longer than one density. What is in them may change, and is read anew each time.


class Covariance(ABC):
    """The mathematics that depends on the covariance type. The types are final.

    Everywhere, ``x`` has samples last, centred on a reference; ``monomials`` are its features and
    products of two of them; and ``chol`` is a precision factor U of the precision P = U Uᵀ in its
    inner shape.

    Attributes:
        couples_features: Whether what is known of one feature says something of another.
        shares_form: Whether all components have the same xᵀ P x, so that it cancels in the
            responsibilities.
        in_float32: Whether samples in float32 may be summed in float32.
        far_in_float32: Whether that also holds for components far from the reference, because
            distances and moments can be taken about each component's own mean.
        has_products: Whether there are products of features to be written down, see
            :meth:`monomials`: those in xᵀ P x, which differ from component to component.
        plain_moments: Whether second moments are sums of products of features alone, and of nothing
            that EM has learned, so that they can be completed, recalled and forgotten.
    """

    couples_features: bool
    shares_form: bool
    in_float32: bool
    far_in_float32: bool
    has_products: bool
    plain_moments: bool

    @abstractmethod
    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Outer shape of one mixture's covariances, precisions and factors: scikit-learn's."""

    @abstractmethod
    def inner_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Inner shape of one mixture's factors, without the axis of runs."""

    @abstractmethod
    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free parameters of the covariances."""

    @abstractmethod
    def packs(self, task: Task) -> bool:
        """Whether a pass is cheaper with :meth:`monomials` written down."""

    @abstractmethod
    def scratch(self, n_components: int, n_features: int, *, packs: bool = True) -> int:
        """Numbers per sample that one E- and M-step of one run write to memory.

        Args:
            n_components: Components of the run.
            n_features: d.
            packs: Whether :meth:`monomials` are among them.
        """

    @abstractmethod
    def monomials(self, x: Float[Tensor, "d n"]) -> tuple[Float[Tensor, "_ n"], ...]:
        """The features, and then the different products of them in xᵀ P x, in one piece or two.

        The u(x) of the exponential family, Bishop (2006) eq. 2.221: the log joint density is linear
        in them, and their weighted sums are all that EM needs of the samples.
        """

    @abstractmethod
    def unpack(
        self, products: Float[Tensor, "run k p"], n_features: int
    ) -> Float[Tensor, "run kq m"]:
        """:meth:`second_moments`, from weighted sums of the products among the monomials."""

    @abstractmethod
    def second_moments(
        self,
        x: Float[Tensor, "d n"],
        resp: Float[Tensor, "run k n"],
        chol: Float[Tensor, "run ..."] | None = None,
    ) -> Float[Tensor, "run kq m"]:
        """Sums of products of features of a chunk, weighted by responsibilities.

        Args:
            x: The samples.
            resp: Responsibilities.
            chol: The factors that gave them, None where EM starts: a type that cannot afford all
                products sums only those that its next M-step needs.
        """

    @abstractmethod
    def estimate(
        self,
        counts: Float[Tensor, "run k"],
        means: Float[Tensor, "run k d"],
        second: Float[Tensor, "run kq m"],
        reg_covar: float,
    ) -> Float[Tensor, "run ..."]:
        """M-step covariances, Bishop (2006) eq. 9.25, from sums about the reference.

        Args:
            counts: Responsibilities summed over samples.
            means: Component means about the same reference.
            second: Sums from :meth:`second_moments`.
            reg_covar: Added to every variance, in squared units of the samples.
        """

    @abstractmethod
    def factorise(
        self, covariances: Float[Tensor, "run ..."]
    ) -> tuple[Float[Tensor, "run ..."], Bool[Tensor, " run"]]:
        """Precision factors, and which runs have positive definite covariances."""

    @abstractmethod
    def make_definite(
        self, covariances: Float[Tensor, "run ..."]
    ) -> tuple[Float[Tensor, "run ..."], Float[Tensor, "run kq d"] | None]:
        """Covariances that factorise, and what was added to each variance; None for nothing.

        Each feature gets the same small share of its own variance, the least that suffices, and
        only where a matrix does not factorise as it is.
        """

    @abstractmethod
    def fits(self, chol: Float[Tensor, "run ..."]) -> Bool[Tensor, " run"]:
        """Which runs have numbers that can be factors of this type, and not of another."""

    @abstractmethod
    def factorise_precisions(
        self, precisions: Float[Tensor, "run ..."]
    ) -> tuple[Float[Tensor, "run ..."], Bool[Tensor, " run"]]:
        """Precision factors from precisions, and which runs have positive definite ones."""

    @abstractmethod
    def precisions(self, chol: Float[Tensor, "run ..."]) -> Float[Tensor, "run ..."]:
        """P = U Uᵀ."""

    @abstractmethod
    def covariances(self, chol: Float[Tensor, "run ..."]) -> Float[Tensor, "run ..."]:
        """The inverse of U Uᵀ."""

    @abstractmethod
    def log_determinant(
        self, chol: Float[Tensor, "run ..."], n_features: int
    ) -> Float[Tensor, "run kq"]:
        """Log determinant of U, which is half that of the precision."""

    @abstractmethod
    def inflation(self, chol: Float[Tensor, "run ..."]) -> Float[Tensor, "run kq"]:
        """How near to singular covariances are, whatever the scales: 1 without correlations.

        The mean variance inflation factor P_ii Σ_ii of the features. A squared distance is the
        small rest of terms larger by as much, so that it loses as many digits.
        """

    @abstractmethod
    def quadratic_coefficients(self, chol: Float[Tensor, "run ..."]) -> Float[Tensor, "run kq p"]:
        """Coefficients of xᵀ P x in the products among the monomials."""

    @abstractmethod
    def precision_times(
        self, chol: Float[Tensor, "run ..."], vectors: Float[Tensor, "run k d"]
    ) -> Float[Tensor, "run k d"]:
        """P v for one vector per component."""

    @abstractmethod
    def squared_distances(
        self, chol: Float[Tensor, "run ..."], deviations: Float[Tensor, "run k d n"]
    ) -> Float[Tensor, "run k n"]:
        """Squared Mahalanobis distances ‖Uᵀ (x - μ)‖² of a few samples.

        Args:
            chol: Factors.
            deviations: Samples minus means, in the precision of the factors.
        """

    @abstractmethod
    def distances_from(
        self, chol: Float[Tensor, "run ..."], means: Float[Tensor, "run k d"], n_samples: int
    ) -> Callable[[Float[Tensor, "d n"]], Float[Tensor, "run k n"]]:
        """The same for many samples, as a function of a chunk.

        Args:
            chol: Factors, in the precision of the chunks.
            means: Means in float64, about the reference of the chunks.
            n_samples: Samples in all chunks.
        """

    @abstractmethod
    def colour(
        self, chol: Float[Tensor, "run ..."], noise: Float[Tensor, "run k d n"]
    ) -> Float[Tensor, "run k d n"]:
        """U⁻ᵀ z: standard normal noise with the covariances of the components."""

    @abstractmethod
    def marginal(
        self, chol: Float[Tensor, "run ..."], features: Int[Tensor, " kept"]
    ) -> Float[Tensor, "run ..."]:
        """Factors of some features alone, Bishop (2006) eq. 2.98."""

    @abstractmethod
    def conditional(
        self,
        chol: Float[Tensor, "run ..."],
        kept: Int[Tensor, " kept"],
        given: Int[Tensor, " given"],
        deviations: Float[Tensor, "run k given n"],
    ) -> tuple[Float[Tensor, "run k kept n"], Float[Tensor, "run ..."]]:
        """Shifts of the means, and factors, given all other features: Bishop eqs. 2.96 and 2.97.

        Args:
            chol: Factors of all features.
            kept: The features that remain.
            given: All others.
            deviations: Deviations of the given features from their means.
        """

    @abstractmethod
    def completer(
        self, chol: Float[Tensor, "run ..."], means: Float[Tensor, "run k d"]
    ) -> Callable[[Incomplete], Completion]:
        """What completes samples of which some values are missing, part by part.

        Args:
            chol: Factors of the components.
            means: Their means about the reference of the samples.
        """

    @abstractmethod
    def complete_noisy(
        self, chol: Float[Tensor, "run ..."], means: Float[Tensor, "run k d"], part: Noisy
    ) -> Completion:
        """Samples with known noise, under components about their reference.

        Raises:
            ValueError: If the type cannot be learned from them.
        """

    @abstractmethod
    def attributes(
        self, chol: Float[Tensor, "run ..."], n_components: int, n_features: int
    ) -> dict[str, Tensor]:
        """What an estimator shows of the first run: scikit-learn's attributes, in its shapes."""

    @abstractmethod
    def from_attributes(self, estimator: Any) -> Float[Tensor, "1 ..."]:
        """The factors of a fitted estimator, from its :meth:`attributes`."""

    @abstractmethod
    def distribution(
        self, chol: Float[Tensor, "run ..."], means: Float[Tensor, "run k d"]
    ) -> Distribution:
        """The components of the first run as a batch of torch's distributions."""

    @abstractmethod
    def dense(
        self, chol: Float[Tensor, "run ..."], n_components: int, n_features: int
    ) -> Float[Tensor, "run k d d"]:
        """One covariance matrix per component, whatever the type."""


def shown_attributes(
    covariance: Covariance, chol: Float[Tensor, "run ..."], n_components: int, n_features: int
) -> dict[str, Tensor]:
    """Factors, precisions and covariances of the first run, under scikit-learn's names."""
    shape = covariance.shape(n_components, n_features)
    inner = {
        "precisions_cholesky_": chol,
        "precisions_": covariance.precisions(chol),
        "covariances_": covariance.covariances(chol),
    }
    return {name: values[0].reshape(shape) for name, values in inner.items()}


def restore_factors(covariance: Covariance, estimator: Any) -> Float[Tensor, "1 ..."]:
    """The factors among the :func:`shown_attributes` of an estimator.

    Where only covariances were set by hand, they are factorised.

    Raises:
        ValueError: If the attributes are those of another covariance type, or none.
    """
    shape = tuple(np.shape(estimator.means_))
    # Only what is stored: a mixture that lacks it would otherwise make it out of itself.
    stored = vars(estimator)
    name = "covariances_" if "precisions_cholesky_" not in stored else "precisions_cholesky_"
    values: Any = stored.get(name, ())
    expected = covariance.shape(*shape)
    if tuple(np.shape(values)) != expected:
        raise ValueError(
            f"covariance_type={estimator.covariance_type!r} with means_ of shape {shape} needs "
            f"precisions_cholesky_ of shape {expected}, got {tuple(np.shape(values))}; "
            f"set covariance_type back to that of the fit, or fit again"
        )
    inner = torch.as_tensor(values).reshape(1, *covariance.inner_shape(*shape))
    if _FITTING.get(estimator) is values:
        return inner
    chol, valid = (
        covariance.factorise(inner) if name == "covariances_" else (inner, covariance.fits(inner))
    )
    if not valid.all():
        raise ValueError(
            f"{name} holds no {estimator.covariance_type} covariances, expected those of a fit "
            f"with covariance_type={estimator.covariance_type!r}; set what the fit has learned"
        )
    if chol is inner:
        _FITTING[estimator] = values
    return chol


def coloured_products(
    covariance: Covariance, chol: Float[Tensor, "run ..."], n_components: int, n_features: int
) -> Float[Tensor, "run k d d"]:
    """Covariance matrices, as products of the factors that colour noise."""
    eye = torch.eye(n_features, dtype=chol.dtype, device=chol.device)
    shape = (chol.shape[0], n_components, n_features, n_features)
    factors = covariance.colour(chol, eye.expand(shape))
    return factors @ factors.mT


def are_finite(values: Float[Tensor, "run ..."]) -> Bool[Tensor, " run"]:
    """Which runs have finite values only, none of them near to overflow."""
    # A sum is one pass over large matrices, where asking each element is several.
    return values.sum(tuple(range(1, values.ndim))).isfinite()
