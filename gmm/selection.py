"""Which number of components and which covariance type: a sweep judged by a criterion."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from gmm import criteria, density, em, initialization
from gmm.covariance import COVARIANCES
from gmm.estimator import GaussianMixture
from gmm.estimator_base import seeds_of
from gmm.likelihood import Likelihood, scaled_regulariser
from gmm.options import CovarianceType, Criterion
from gmm.samples import InMemory
from gmm.validation import check_finite, check_sample_count, check_settings, checked_tensor


@dataclass(frozen=True)
class Candidate:
    """One row of a sweep: the best of ``n_init`` runs.

    Args:
        covariance_type: Shape of the covariances.
        n_components: Components.
        n_parameters: Free parameters.
        lower_bound: Mean log density of a training sample in nats.
        bic: Bayesian information criterion; infinite where every run collapsed.
        aic: Akaike's; likewise.
        n_iter: EM iterations of the best run.
        converged: Whether the best run met ``tol``.
        n_failed: Runs that collapsed.
    """

    covariance_type: CovarianceType
    n_components: int
    n_parameters: int
    lower_bound: float
    bic: float
    aic: float
    n_iter: int
    converged: bool
    n_failed: int


@dataclass(frozen=True)
class Sweep:
    """What a sweep found.

    Args:
        rows: All candidates, in the order of covariance types and components.
        winner: The fitted mixture of the best one.
        criterion: By which it is the best.
        n_samples: Samples that each was fitted to.
    """

    rows: tuple[Candidate, ...]
    winner: GaussianMixture
    criterion: Criterion
    n_samples: int

    @property
    def best(self) -> Candidate:
        """The winner's row."""
        return min(self.rows, key=lambda row: getattr(row, self.criterion))

    def csv(self) -> str:
        """The rows as CSV with a header."""
        names = [field.name for field in fields(Candidate)]
        lines = [[str(getattr(row, name)) for name in names] for row in self.rows]
        return "".join(",".join(line) + "\n" for line in [names, *lines])

    def __str__(self) -> str:
        """A table of the criterion, and the winner."""
        types = list(dict.fromkeys(row.covariance_type for row in self.rows))
        counts = sorted({row.n_components for row in self.rows})
        values = {(r.n_components, r.covariance_type): self._cell(r) for r in self.rows}
        lines = ["components " + "".join(f"{name:>14}" for name in types)]
        for count in counts:
            cells = "".join(f"{values.get((count, name), ''):>14}" for name in types)
            lines.append(f"{count:>10} {cells}")
        best = self.best
        lines.append(
            f"best {self.criterion.upper()} {getattr(best, self.criterion):.1f}: "
            f"{best.n_components} components, {best.covariance_type}, on {self.n_samples} samples"
        )
        return "\n".join(lines)

    def _cell(self, row: Candidate) -> str:
        value = getattr(row, self.criterion)
        mark = "*" if row == self.best else " "
        return f"{value:.1f}{mark}" if math.isfinite(value) else "collapsed "


def sweep(
    x: ArrayLike | Tensor,
    n_components: Iterable[int] = range(1, 11),
    covariance_types: Sequence[CovarianceType] = ("full", "tied", "diag", "spherical"),
    *,
    n_init: int = 10,
    criterion: Criterion = "bic",
    seed: int = 0,
    reg_covar: float = 1e-6,
    tol: float = 1e-3,
    max_iter: int = 100,
) -> Sweep:
    """Fits every number of components with every covariance type and picks the best.

    The k-means start is computed once per number of components and shared by the types, so that
    they differ only in shape.

    Args:
        x: Samples, n × d.
        n_components: Numbers of components to try.
        covariance_types: Shapes to try.
        n_init: Restarts of each, in one batch.
        criterion: What the winner has least of.
        seed: The same seed gives the same sweep.
        reg_covar: Added to every variance, in squared units of ``x``.
        tol: EM stops when the lower bound changes by less, in nats.
        max_iter: Iterations at most.

    Raises:
        ValueError: If a setting or sample cannot be used, or if every candidate collapses.
    """
    samples = x if isinstance(x, Tensor) else torch.as_tensor(x)
    samples = checked_tensor(samples)
    check_finite(samples)
    prototypes = [
        GaussianMixture(
            count,
            covariance_type=name,
            n_init=n_init,
            random_state=seed,
            reg_covar=reg_covar,
            tol=tol,
            max_iter=max_iter,
        )
        for name in covariance_types
        for count in n_components
    ]
    _check(prototypes, len(samples), criterion)
    starts = {
        count: initialization.start(InMemory(samples), count, "kmeans", seeds_of(seed, n_init))
        for count in {prototype.n_components for prototype in prototypes}
    }
    fitted = [_fitted(samples, each, starts[each.n_components]) for each in prototypes]
    rows = tuple(
        _candidate(samples, prototype, runs)
        for prototype, runs in zip(prototypes, fitted, strict=True)
    )
    best = min(range(len(rows)), key=lambda index: getattr(rows[index], criterion))
    as_tensors = isinstance(x, Tensor)
    winner = prototypes[best].set_fitted(
        fitted[best].best(), dtype=samples.dtype, as_tensors=as_tensors
    )
    return Sweep(rows, winner, criterion, len(samples))


def _check(prototypes: Sequence[GaussianMixture], n_samples: int, criterion: str) -> None:
    if criterion not in ("bic", "aic"):
        raise ValueError(f"criterion={criterion!r}, expected one of bic, aic")
    if not prototypes:
        raise ValueError(
            "n_components and covariance_types leave nothing to fit, expected at least one of each"
        )
    for prototype in prototypes:
        check_settings(prototype.get_params(deep=False))
        check_sample_count(n_samples, prototype.n_components)


def _fitted(
    x: Float[Tensor, "n d"], prototype: GaussianMixture, start: initialization.Start
) -> em.Runs:
    samples = InMemory(x)
    reg_covar = scaled_regulariser(prototype.reg_covar, samples.variance)
    objective = Likelihood(COVARIANCES[prototype.covariance_type], reg_covar)
    found, valid = start.parameters(samples, objective)
    return em.run(samples, found, valid, objective, tol=prototype.tol, max_iter=prototype.max_iter)


def _candidate(x: Float[Tensor, "n d"], prototype: GaussianMixture, runs: em.Runs) -> Candidate:
    covariance = COVARIANCES[prototype.covariance_type]
    n_parameters = criteria.n_parameters(runs.parameters, covariance)
    described = (prototype.covariance_type, prototype.n_components, n_parameters)
    n_failed = int(runs.failed.sum())
    if n_failed == len(runs.failed):
        return Candidate(*described, -math.inf, math.inf, math.inf, 0, False, n_failed)
    best = runs.best()
    log_likelihood = float(density.log_density(x, best.parameters, covariance).double().sum())
    return Candidate(
        *described,
        lower_bound=best.lower_bound,
        bic=criteria.bic(log_likelihood, len(x), n_parameters),
        aic=criteria.aic(log_likelihood, n_parameters),
        n_iter=best.n_iter,
        converged=best.converged,
        n_failed=n_failed,
    )
