"""Checks of settings and initial values: one line that names the argument and its value."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from gmm.covariance import COVARIANCES, Covariance
from gmm.options import CovarianceType, InitMethod, Missing


def check_settings(settings: dict[str, Any]) -> None:
    """Refuses values that no fit can use.

    Args:
        settings: An estimator's parameters by name.

    Raises:
        ValueError: Naming the parameter, its value and what was expected.
    """
    least_of = {"n_components": 1, "n_init": 1, "max_iter": 0, "verbose": 0, "verbose_interval": 1}
    for name, least in least_of.items():
        _check_number(name, settings[name], Integral, f"an integer >= {least}", least)
    _check_number("tol", settings["tol"], Real, "a number >= 0", 0)
    if settings["reg_covar"] != "auto":
        _check_number("reg_covar", settings["reg_covar"], Real, "a number >= 0, or 'auto'", 0)
    # Variational Bayes has no rank: its priors are over matrices and variances.
    types = get_args(CovarianceType) if "rank" in settings else tuple(COVARIANCES)
    _check_choice("covariance_type", settings["covariance_type"], types)
    if "rank" in settings:
        _check_number("rank", settings["rank"], Integral, "an integer >= 1", 1)
    if "missing" in settings:
        _check_choice("missing", settings["missing"], get_args(Missing))
    _check_choice("init_params", settings["init_params"], get_args(InitMethod))


def _check_number(name: str, value: Any, kind: type, expected: str, least: int) -> None:
    # Not >=: NaN must fail too.
    if not isinstance(value, kind) or isinstance(value, bool) or not value >= least:  # type: ignore
        raise ValueError(f"{name}={value!r}, expected {expected}; set {name}")


def _check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r}, expected one of {', '.join(choices)}")


def check_shape(name: str, values: Tensor, expected: tuple[int, ...]) -> None:
    """Refuses an initial value of another shape.

    Raises:
        ValueError: If the shape differs.
    """
    if tuple(values.shape) != expected:
        raise ValueError(
            f"{name} has shape {tuple(values.shape)}, expected {expected} "
            f"for these samples, n_components and covariance_type"
        )


def check_initial(name: str, values: Tensor) -> None:
    """Refuses initial values that are not finite.

    Raises:
        ValueError: If one is NaN or infinite.
    """
    if not values.isfinite().all():
        place = (~values.isfinite()).nonzero()[0].tolist()
        raise ValueError(
            f"{name}{place} is {values[tuple(place)].item()}, expected finite numbers; "
            f"correct it or pass None"
        )


def check_weights(weights: Float[Tensor, " k"]) -> None:
    """Refuses initial weights that are not probabilities.

    Raises:
        ValueError: If one is negative or they do not sum to 1.
    """
    total = weights.sum().item()
    if (weights < 0).any() or not abs(total - 1) <= 1e-6:
        raise ValueError(
            f"weights_init has least element {weights.min().item():.6g} and sum {total:.6g}, "
            f"expected none below 0 and sum 1; divide it by its sum"
        )


def factorise_initial_precisions(
    precisions: Tensor, covariance: Covariance, n_components: int, n_features: int
) -> Float[Tensor, "run ..."]:
    """Factors of initial precisions, in their inner shape.

    Raises:
        ValueError: If a precision is not symmetric and positive definite.
    """
    check_shape("precisions_init", precisions, covariance.shape(n_components, n_features))
    inner = precisions.reshape(1, *covariance.inner_shape(n_components, n_features))
    chol, valid = covariance.factorise_precisions(inner)
    if not valid.all() or not torch.allclose(covariance.precisions(chol), inner, rtol=1e-4):
        raise ValueError(
            "precisions_init is not symmetric and positive definite, expected the inverse of "
            "a covariance; pass precisions_ of a fitted mixture or None"
        )
    return chol


def check_warm_start(shape: tuple[int, ...], expected: tuple[int, int]) -> None:
    """Refuses to go on from a fit of another shape.

    Raises:
        ValueError: If the shapes differ.
    """
    if shape != expected:
        raise ValueError(
            f"warm_start goes on from means_ of shape {shape}, expected {expected} for "
            f"n_components and the features of X; set warm_start=False to fit anew"
        )


def check_starts(methods: Sequence[InitMethod]) -> None:
    """Refuses ways to start that do not exist, or none.

    Raises:
        ValueError: Naming the first of them.
    """
    if isinstance(methods, str) or not len(methods):
        raise ValueError(f"init_params={methods!r}, expected a sequence such as ('kmeans',)")
    for method in methods:
        _check_choice("init_params", method, get_args(InitMethod))


def check_draw(n_samples: int, component: int | None, n_components: int) -> None:
    """Refuses a draw of no samples, or from a component that does not exist.

    Raises:
        ValueError: If it is one.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples={n_samples}, expected at least 1")
    if component is not None and not 0 <= component < n_components:
        raise ValueError(
            f"component={component}, expected 0 to {n_components - 1}, or None for all components"
        )


def check_plain(covariance: Covariance, method: str) -> None:
    """Refuses loadings, which a method that keeps moments of samples cannot learn.

    Raises:
        ValueError: If the covariance type has no plain moments.
    """
    if not covariance.plain_moments:
        raise ValueError(
            f"{method} has no way to learn {type(covariance).__name__} covariances, expected one "
            f"of {', '.join(COVARIANCES)}; call fit with all samples, or with chunks of them"
        )
