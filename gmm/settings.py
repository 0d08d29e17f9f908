"""Checks of settings and initial values: one line that names the argument and its value."""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.covariance import COVARIANCES, Covariance
from gmm.options import CovarianceType, InitMethod, Missing

FIXED = {
    "fixed_weights": "weights_init",
    "fixed_means": "means_init",
    "fixed_covariances": "precisions_init",
}
"""Which parameters keep their initial values, and where these are."""


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuses values that no fit can use.

    Args:
        settings: An estimator's parameters by name, perhaps among other attributes.

    Raises:
        ValueError: Naming the parameter, its value and what was expected.
    """
    least_of = {"n_components": 1, "n_init": 1, "max_iter": 0, "verbose": 0, "verbose_interval": 1}
    for name, least in least_of.items():
        check_number(name, settings[name], Integral, f"an integer >= {least}", least)
    check_number("tol", settings["tol"], Real, "a number >= 0", 0)
    if settings["reg_covar"] != "auto":
        check_number("reg_covar", settings["reg_covar"], Real, "a number >= 0, or 'auto'", 0)
        if settings["reg_covar"] == math.inf:
            raise ValueError("reg_covar=inf, expected a finite number >= 0, or 'auto'")
    # Variational Bayes has no rank: its priors are over matrices and variances.
    types = get_args(CovarianceType) if "rank" in settings else tuple(COVARIANCES)
    _check_choice("covariance_type", settings["covariance_type"], types)
    if "rank" in settings:
        check_number("rank", settings["rank"], Integral, "an integer >= 1", 1)
    if "missing" in settings:
        _check_choice("missing", settings["missing"], get_args(Missing))
    _check_choice("init_params", settings["init_params"], get_args(InitMethod))
    _check_choice("warm_start", settings["warm_start"], (False, True))


def check_number(name: str, value: Any, kind: type, expected: str, least: int) -> None:
    """Refuses what is no number of a kind, or too small.

    Raises:
        ValueError: Naming the setting, its value and what was expected.
    """
    # Not >=: NaN must fail too.
    if not isinstance(value, kind) or isinstance(value, bool) or not value >= least:  # type: ignore
        raise ValueError(f"{name}={value!r}, expected {expected}; set {name}")


def _check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r}, expected one of {', '.join(map(str, choices))}")


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
    """Refuses values, initial or set by hand, that are not finite.

    Raises:
        ValueError: If one is NaN or infinite.
    """
    # A sum is finite only if all terms are; it needs no mask.
    if not math.isfinite(values.sum().item()) and not values.isfinite().all():
        place = (~values.isfinite()).nonzero()[0].tolist()
        raise ValueError(
            f"{name}{place} is {values[tuple(place)].item()}, expected finite numbers; "
            f"correct it or pass None"
        )


def check_weights(weights: Float[Tensor, " k"], name: str, shape: tuple[int, ...]) -> None:
    """Refuses weights that are not one probability per component.

    Args:
        weights: Initial or fitted weights.
        name: What the error calls them.
        shape: One number, that of components.

    Raises:
        ValueError: If their number is another one, one is negative, or they do not sum to 1.
    """
    check_shape(name, weights, tuple(shape))
    listed = weights.tolist()  # few numbers, of which Python is done sooner than torch
    least, total = min(listed), math.fsum(listed)
    # Rounding of a sum in the precision that they are in, of up to thousands of components.
    if not least >= 0 or not abs(total - 1) <= 1e-6 + 1e3 * torch.finfo(weights.dtype).eps:
        raise ValueError(
            f"{name} has least element {least:.6g} and sum {total:.6g}, "
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


def read_fixed(
    name: str, given: ArrayLike | Tensor | None, initial: str, values: Tensor | None, count: int
) -> Bool[Tensor, " k"] | None:
    """Which components keep their initial value; None where none does.

    Args:
        name: What the errors call it.
        given: True or False for each component.
        initial: Name of the setting with the values.
        values: What was set there.
        count: Number of components.

    Raises:
        ValueError: If it is not one truth value per component, or there are no initial values.
    """
    if given is None:
        return None
    mask = torch.as_tensor(given if isinstance(given, Tensor) else np.asarray(given))
    if mask.dtype != torch.bool or tuple(mask.shape) != (count,):
        raise ValueError(
            f"{name}={given!r}, expected n_components={count} times True or False, one for each "
            f"component"
        )
    if not mask.any():
        return None
    if values is None:
        raise ValueError(f"{name} keeps what {initial} gives, and that is None; set {initial}")
    return mask


def check_fixed(
    masks: dict[str, Bool[Tensor, " k"] | None], covariance: Covariance, covariance_type: str
) -> None:
    """Refuses to hold what a covariance type cannot.

    Raises:
        ValueError: If only some components of a shared covariance are held, or the type learns
            more than moments.
    """
    held = [name for name, mask in masks.items() if mask is not None]
    if held and not covariance.plain_moments:
        raise ValueError(
            f"{held[0]} with covariance_type={covariance_type!r}, expected one of "
            f"{', '.join(COVARIANCES)}; leave {held[0]} out"
        )
    mask = masks["fixed_covariances"]
    if mask is not None and covariance.shares_form and not mask.all():
        raise ValueError(
            f"fixed_covariances={mask.tolist()} with covariance_type={covariance_type!r}, expected "
            f"all True or None, since all components have one covariance"
        )


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
    if isinstance(methods, str) or not isinstance(methods, Sequence) or not methods:
        raise ValueError(f"init_params={methods!r}, expected a sequence such as ('kmeans',)")
    for method in methods:
        _check_choice("init_params", method, get_args(InitMethod))


def check_draw(n_samples: int, component: int | None, n_components: int) -> None:
    """Refuses a draw of no samples, or from a component that does not exist.

    Raises:
        ValueError: If it is one.
    """
    if not _is_whole(n_samples) or n_samples < 1:
        raise ValueError(f"n_samples={n_samples!r}, expected at least 1")
    if component is None:
        return
    if not _is_whole(component) or not 0 <= component < n_components:
        raise ValueError(
            f"component={component!r}, expected 0 to {n_components - 1}, or None for all components"
        )


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


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
