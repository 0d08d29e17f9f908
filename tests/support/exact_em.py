"""EM of a mixture in 60 digits, by loops over samples: what float64 is judged by."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf
from numpy.typing import ArrayLike

DIGITS = 60
ADDED_COUNT = 10 * np.finfo(float).eps  # to each component's, as scikit-learn does
Matrices = list[Any]


def exact_bounds(
    x: np.ndarray,
    settings: Mapping[str, Any],
    sample_weight: np.ndarray | None = None,
) -> list[float]:
    """The mean log density of a sample at each E-step, until it changes by less than ``tol``.

    Args:
        x: Samples, n × d.
        settings: As for scikit-learn's mixture: ``covariance_type``, ``weights_init``,
            ``means_init``, ``precisions_init``, ``reg_covar`` and ``max_iter``; ``tol`` is 1e-3
            unless it is given; ``fixed_weights``, ``fixed_means`` and ``fixed_covariances`` say
            which components keep theirs.
        sample_weight: How often each sample counts; None for once.
    """
    with mpmath.workdps(DIGITS):
        rows = [_column(row) for row in x]
        shares = [
            mpf(float(w)) for w in (np.ones(len(x)) if sample_weight is None else sample_weight)
        ]
        weights = [mpf(float(w)) for w in settings["weights_init"]]
        means = [_column(mean) for mean in settings["means_init"]]
        kind, reg_covar = settings["covariance_type"], mpf(float(settings["reg_covar"]))
        precisions = _dense(kind, settings["precisions_init"], len(weights), x.shape[1])
        bounds: list[Any] = []
        while len(bounds) < settings["max_iter"]:
            bound, resp = _expectation(rows, shares, weights, means, precisions)
            bounds.append(bound)
            counts = [mpmath.fsum(column) + mpf(ADDED_COUNT) for column in zip(*resp, strict=True)]
            shares_of_all = [count / mpmath.fsum(counts) for count in counts]
            weights = _share_out(shares_of_all, weights, settings.get("fixed_weights"))
            means = _keep(_means(rows, resp, counts), means, settings.get("fixed_means"))
            scatters = _scatters(rows, resp, counts, means)
            shaped = _SHAPES[kind](scatters, shares_of_all)
            identity = mpmath.eye(x.shape[1])
            free = [(scatter + reg_covar * identity) ** -1 for scatter in shaped]
            precisions = _keep(free, precisions, settings.get("fixed_covariances"))
            if len(bounds) > 1 and abs(bounds[-1] - bounds[-2]) < settings.get("tol", 1e-3):
                break
        return [float(bound) for bound in bounds]


def _column(values: Sequence[float]) -> Any:
    return mpmath.matrix([mpf(float(value)) for value in values])


def _dense(kind: str, precisions: ArrayLike, n_components: int, n_features: int) -> Matrices:
    """Initial precisions of scikit-learn's shapes, a matrix for each component."""
    values, identity = np.asarray(precisions, float), np.eye(n_features)
    if kind == "tied":
        values = np.broadcast_to(values, (n_components, n_features, n_features))
    elif kind == "diag":
        values = values[:, :, None] * identity
    elif kind == "spherical":
        values = values[:, None, None] * identity
    return [mpmath.matrix(matrix.tolist()) for matrix in values]


def _expectation(
    rows: Matrices, shares: list[Any], weights: list[Any], means: Matrices, precisions: Matrices
) -> tuple[Any, list[list[Any]]]:
    """The bound, and how much of each sample belongs to each component."""
    constants = [
        mpmath.log(weight) + (mpmath.log(mpmath.det(p)) - p.rows * mpmath.log(2 * mpmath.pi)) / 2
        for weight, p in zip(weights, precisions, strict=True)
    ]
    total, resp = mpf(0), []
    for row, share in zip(rows, shares, strict=True):
        joint = [
            constant - ((row - mean).T * precision * (row - mean))[0] / 2
            for constant, mean, precision in zip(constants, means, precisions, strict=True)
        ]
        greatest = max(joint)
        log_density = greatest + mpmath.log(mpmath.fsum(mpmath.exp(v - greatest) for v in joint))
        total += share * log_density
        resp.append([share * mpmath.exp(value - log_density) for value in joint])
    return total / mpmath.fsum(shares), resp


def _means(rows: Matrices, resp: list[list[Any]], counts: list[Any]) -> Matrices:
    means = []
    for k, count in enumerate(counts):
        mean = rows[0] * 0
        for row, share in zip(rows, resp, strict=True):
            mean += share[k] * row / count
        means.append(mean)
    return means


def _scatters(
    rows: Matrices, resp: list[list[Any]], counts: list[Any], means: Matrices
) -> Matrices:
    scatters = []
    for k, count in enumerate(counts):
        scatter = mpmath.zeros(rows[0].rows)
        for row, share in zip(rows, resp, strict=True):
            scatter += share[k] * (row - means[k]) * (row - means[k]).T / count
        scatters.append(scatter)
    return scatters


def _keep(free: list[Any], before: list[Any], fixed: Sequence[bool] | None) -> list[Any]:
    held = [False] * len(free) if fixed is None else fixed
    return [old if keeps else new for new, old, keeps in zip(free, before, held, strict=True)]


def _share_out(free: list[Any], before: list[Any], fixed: Sequence[bool] | None) -> list[Any]:
    """The held weights, and what is left in proportion to the free ones."""
    held = [False] * len(free) if fixed is None else fixed
    left = 1 - mpmath.fsum(w for w, keeps in zip(before, held, strict=True) if keeps)
    total = mpmath.fsum(w for w, keeps in zip(free, held, strict=True) if not keeps)
    return _keep([w * left / total if total else w for w in free], before, held)


def _pooled(scatters: Matrices, weights: list[Any]) -> Matrices:
    pooled = scatters[0] * 0
    for scatter, weight in zip(scatters, weights, strict=True):
        pooled += weight * scatter
    return [pooled] * len(scatters)


def _diagonal(scatters: Matrices, weights: list[Any]) -> Matrices:
    del weights
    return [mpmath.diag([scatter[i, i] for i in range(scatter.rows)]) for scatter in scatters]


def _round(scatters: Matrices, weights: list[Any]) -> Matrices:
    del weights
    return [
        mpmath.eye(scatter.rows)
        * mpmath.fsum(scatter[i, i] for i in range(scatter.rows))
        / scatter.rows
        for scatter in scatters
    ]


_SHAPES: dict[str, Callable[[Matrices, list[Any]], Matrices]] = {
    "full": lambda scatters, weights: scatters,
    "tied": _pooled,
    "diag": _diagonal,
    "spherical": _round,
}
