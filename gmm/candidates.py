"""Mixtures that compete: their fits to the same samples, and what each criterion says of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gmm.conversion import draw_seeds
from gmm.covariance import Covariance, covariance_of
from gmm.em import criteria, initialization, loop
from gmm.em.likelihood import Likelihood, regulariser
from gmm.em.log_density import entropy, log_density
from gmm.em.missing import MISSING, Evaluate
from gmm.estimator import GaussianMixture
from gmm.options import CovarianceType, InitMethod
from gmm.samples.in_memory import InMemory


@dataclass(frozen=True)
class Candidate:
    """One row of a sweep: the best of ``n_init`` runs.

    Args:
        covariance_type: Shape of the covariances.
        n_components: Number of components.
        n_parameters: Number of free parameters.
        lower_bound: Mean log density of a training sample in nats.
        bic: Bayesian information criterion; infinite where every run collapsed.
        aic: Akaike's information criterion; infinite where every run collapsed.
        icl: Integrated completed likelihood, BIC plus twice the entropy of the responsibilities.
        held_out: -2 log likelihood of all samples, each under a mixture that was fitted without it,
            so that it compares with the others; NaN unless samples were held out.
        n_iter: EM iterations of the best run.
        converged: Whether the best run met ``tol``.
        n_failed: Number of runs that collapsed.
    """

    covariance_type: CovarianceType
    n_components: int
    n_parameters: int
    lower_bound: float
    bic: float
    aic: float
    icl: float
    held_out: float
    n_iter: int
    converged: bool
    n_failed: int


def describe_candidate(
    samples: InMemory, prototype: GaussianMixture, runs: loop.Runs, deviance: float
) -> Candidate:
    """The row of a mixture in a sweep.

    Args:
        samples: The samples that it was fitted to.
        prototype: Its settings.
        runs: All its restarts.
        deviance: Its entry of :func:`held_out_deviances`.
    """
    covariance = covariance_for(prototype)
    n_parameters = criteria.n_parameters(runs.parameters, covariance)
    described = (prototype.covariance_type, prototype.n_components, n_parameters)
    n_failed = int(runs.failed.sum())
    if n_failed == len(runs.failed):
        worst = (-math.inf, math.inf, math.inf, math.inf, math.inf)
        return Candidate(*described, *worst, 0, False, n_failed)
    best = runs.best()
    log_likelihood = _log_likelihood(samples, prototype, runs)
    entropies = _evaluate(entropy, samples, prototype, best)
    bic = criteria.bic(log_likelihood, samples.weight, n_parameters)
    return Candidate(
        *described,
        lower_bound=best.lower_bound,
        bic=bic,
        aic=criteria.aic(log_likelihood, n_parameters),
        icl=criteria.icl(bic, _weighted_sum(samples, entropies)),
        held_out=deviance,
        n_iter=best.n_iter,
        converged=best.converged,
        n_failed=n_failed,
    )


def fit_all(
    samples: InMemory, prototypes: Sequence[GaussianMixture], methods: Sequence[InitMethod]
) -> list[loop.Runs]:
    """All restarts of every mixture; those of as many components start from the same clusters.

    Args:
        samples: The samples to fit to.
        prototypes: The settings of each mixture.
        methods: Where EM starts, in turn over the restarts.
    """
    starts = {}
    for count, prototype in {like.n_components: like for like in prototypes}.items():
        seeds = draw_seeds(prototype.random_state, prototype.n_init)
        starts[count] = initialization.mixed_start(samples, count, methods, seeds)
    return [_fit(samples, prototype, starts[prototype.n_components]) for prototype in prototypes]


def _evaluate(
    function: Evaluate, samples: InMemory, prototype: GaussianMixture, run: loop.Run
) -> Float[Tensor, " n"]:
    """A function of the samples and of a mixture that was fitted."""
    x = samples.x
    x = x if samples.missing is None else x.masked_fill(samples.missing, math.nan)
    treatment = MISSING[prototype.missing]
    return treatment.evaluate(function, x, run.parameters, covariance_for(prototype))[0]


def _fit(samples: InMemory, prototype: GaussianMixture, start: initialization.Start) -> loop.Runs:
    reg_covar = regulariser(prototype.reg_covar, samples)
    complete = Likelihood(covariance_for(prototype), reg_covar)
    objective = MISSING[prototype.missing].objective(complete, samples)
    parameters, valid = start.parameters(samples, objective)
    return loop.run(
        samples, parameters, valid, objective, tol=prototype.tol, max_iter=prototype.max_iter
    )


def held_out_deviances(
    parts: Sequence[tuple[InMemory, InMemory]],
    prototypes: Sequence[GaussianMixture],
    methods: Sequence[InitMethod],
) -> list[float]:
    """-2 log likelihood of the held-out samples of all folds, for each mixture.

    Args:
        parts: Samples to fit to and held-out samples, for every fold.
        prototypes: Mixtures to fit; the result is infinite where every run of a fold collapses.
        methods: Where EM starts, in turn over the restarts.
    """
    deviances = [0.0] * len(prototypes)
    for fitted_to, others in parts:
        for index, runs in enumerate(fit_all(fitted_to, prototypes, methods)):
            deviances[index] -= 2 * _log_likelihood(others, prototypes[index], runs)
    return deviances


def cut_folds(samples: InMemory, n_folds: int, seed: int) -> list[tuple[InMemory, InMemory]]:
    """Samples to fit to and held-out ones, such that each sample is held out once."""
    order = torch.randperm(samples.n_samples, generator=torch.Generator().manual_seed(seed))
    parts = order.to(samples.x.device).tensor_split(n_folds)
    kept = [torch.cat([*parts[:index], *parts[index + 1 :]]) for index in range(n_folds)]
    return [
        (_take_rows(samples, rest), _take_rows(samples, part))
        for rest, part in zip(kept, parts, strict=True)
    ]


def _take_rows(samples: InMemory, rows: Int[Tensor, " some"]) -> InMemory:
    weights = None if samples.weights is None else samples.weights[rows]
    missing = None if samples.missing is None else samples.missing[rows]
    return InMemory(samples.x[rows], weights, missing=missing)


def covariance_for(prototype: GaussianMixture) -> Covariance:
    """The mathematics of its covariance type."""
    return covariance_of(prototype.covariance_type, prototype.rank)


def _log_likelihood(samples: InMemory, prototype: GaussianMixture, runs: loop.Runs) -> float:
    """The log likelihood of the best run; -inf where all have collapsed."""
    if runs.failed.all():
        return -math.inf
    return _weighted_sum(samples, _evaluate(log_density, samples, prototype, runs.best()))


def _weighted_sum(samples: InMemory, values: Float[Tensor, " n"]) -> float:
    weights = samples.weights
    return float(values.double().sum() if weights is None else weights @ values.double())
