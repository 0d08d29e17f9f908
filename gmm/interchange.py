"""Fitted mixtures from scikit-learn and to it: the same attributes under the same names."""

import warnings
from typing import TYPE_CHECKING, Any

from torch import Tensor

from gmm.base import BaseMixture
from gmm.bayesian import BayesianGaussianMixture
from gmm.covariance import COVARIANCES
from gmm.em.likelihood import USUAL_REGULARISER
from gmm.estimator import GaussianMixture

if TYPE_CHECKING:
    from sklearn import mixture as theirs

KINDS = (GaussianMixture, BayesianGaussianMixture)
FITTED = (
    "weights_",
    "means_",
    "covariances_",
    "precisions_",
    "precisions_cholesky_",
    "converged_",
    "n_iter_",
    "lower_bound_",
    "lower_bounds_",
    "n_features_in_",
    "feature_names_in_",
    "weight_concentration_prior_",
    "weight_concentration_",
    "mean_precision_prior_",
    "mean_precision_",
    "mean_prior_",
    "degrees_of_freedom_prior_",
    "degrees_of_freedom_",
    "covariance_prior_",
)


def from_sklearn(fitted: "theirs.GaussianMixture | theirs.BayesianGaussianMixture") -> Any:
    """Our estimator of the same class, with the same settings, that scores as ``fitted`` does.

    Raises:
        ValueError: If it is not a mixture of scikit-learn, or has not been fitted.
    """
    from sklearn import mixture as theirs

    for kind in KINDS:
        if isinstance(fitted, getattr(theirs, kind.__name__)):
            return _move(fitted, kind)
    raise ValueError(
        f"got a {type(fitted).__name__}, expected a fitted GaussianMixture or "
        f"BayesianGaussianMixture of sklearn.mixture"
    )


def to_sklearn(mixture: BaseMixture) -> Any:
    """scikit-learn's estimator of the same class, with the same settings, that scores alike.

    Settings that scikit-learn does not have, such as ``device``, are left behind. Where it has the
    setting and not the word, it gets what takes its place: for ``reg_covar="auto"`` the number that
    the fit added; for ``init_params="scaled_kmeans"`` this fit to start the next one from. Its
    Bayesian mixture takes no such values and would start from ``kmeans``, of which a warning tells.

    Raises:
        ValueError: If scikit-learn has no such mixture, or it has not been fitted.
    """
    from sklearn import mixture as theirs

    if type(mixture) not in KINDS or mixture.covariance_type not in COVARIANCES:
        raise ValueError(
            f"{mixture!r} has no counterpart in scikit-learn, expected a mixture of "
            f"covariance_type {', '.join(COVARIANCES)}; save it with gmm.save instead"
        )
    moved = _move(mixture, getattr(theirs, type(mixture).__name__))
    if moved.reg_covar == "auto":
        moved.reg_covar = getattr(mixture, "reg_covar_", USUAL_REGULARISER)
    if moved.init_params == "scaled_kmeans":
        moved.init_params = "kmeans"
        _start_from_fit(moved)
    return moved


def _start_from_fit(moved: Any) -> None:
    """Gives an estimator of scikit-learn its own fit as the start of the next one."""
    if not hasattr(moved, "means_init"):
        warnings.warn(
            "scikit-learn's BayesianGaussianMixture has no init_params='scaled_kmeans': if it is "
            "fitted again, it starts from init_params='kmeans'; scale the samples before you do",
            stacklevel=3,
        )
        return
    for name in ("weights", "means", "precisions"):
        setattr(moved, f"{name}_init", getattr(moved, f"{name}_"))


def _move(source: Any, kind: type) -> Any:
    """An estimator of ``kind`` with what it can take over of the settings and the fit."""
    if not hasattr(source, "converged_"):
        raise ValueError(f"{source!r} has not been fitted; call fit first")
    accepted = kind().get_params(deep=False)
    settings = source.get_params(deep=False)
    target = kind(**{name: _array(settings[name]) for name in accepted if name in settings})
    for name in FITTED:
        if hasattr(source, name):
            setattr(target, name, _array(getattr(source, name)))
    if not hasattr(source, "lower_bounds_"):  # scikit-learn before 1.7 keeps no history
        target.lower_bounds_ = [source.lower_bound_]
    return target


def _array(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_array, value))
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value
