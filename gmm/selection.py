"""Which number of components and which covariance type: a sweep judged by a criterion."""

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from numbers import Integral
from typing import get_args

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.candidates import (
    Candidate,
    covariance_for,
    cut_folds,
    describe_candidate,
    fit_all,
    held_out_deviances,
)
from gmm.conversion import read_rows, refuse_chunks
from gmm.em.missing import MISSING
from gmm.estimator import GaussianMixture
from gmm.options import CovarianceType, Criterion, InitMethod, Missing, Regulariser
from gmm.precision import full_precision
from gmm.samples.in_memory import InMemory
from gmm.samples.placement import read_device
from gmm.samples.validation import (
    check_sample_count,
    validate_weights,
)
from gmm.settings import check_number, check_settings, check_starts

DEFAULT_FOLDS = 5
DEFAULT_STARTS: tuple[InitMethod, ...] = ("kmeans", "scaled_kmeans")


@dataclass(frozen=True)
class Sweep:
    """The outcome of a sweep.

    Args:
        rows: All candidates, ordered by covariance type and number of components.
        winner: The fitted mixture of the best one.
        criterion: The criterion that the best one has least of.
        n_samples: Number of samples that each was fitted to.
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
        values = {(row.n_components, row.covariance_type): self._cell(row) for row in self.rows}
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


@torch.no_grad()
@full_precision()
def sweep(
    x: ArrayLike | Tensor,
    n_components: Iterable[int] = range(1, 11),
    covariance_types: Sequence[CovarianceType] = ("full", "tied", "diag", "spherical"),
    *,
    sample_weight: ArrayLike | Tensor | None = None,
    n_init: int = 10,
    init_params: Sequence[InitMethod] = DEFAULT_STARTS,
    criterion: Criterion = "bic",
    n_folds: int | None = None,
    seed: int = 0,
    rank: int = 8,
    reg_covar: Regulariser = 1e-6,
    tol: float = 1e-3,
    max_iter: int = 100,
    missing: Missing = "error",
    device: str | None = None,
) -> Sweep:
    """Fits every number of components with every covariance type and picks the best.

    The k-means start is computed once per number of components and shared by the types, so that
    they differ only in shape.

    Args:
        x: Samples, n × d.
        n_components: Numbers of components to try.
        covariance_types: Shapes to try.
        sample_weight: How often each sample counts; None for once.
        n_init: Restarts of each candidate, in one batch.
        init_params: Where EM starts, in turn over the restarts: by default k-means on the samples
            as they are, and with features divided by their standard deviations.
        criterion: What the winner has least of.
        n_folds: Number of parts, each of which is held out once, for the likelihood of held-out
            samples; every candidate is fitted as many times more. None for 5 if that likelihood is
            the criterion, and otherwise for no held-out samples.
        seed: The same seed gives the same sweep.
        rank: Columns of the loadings of ``low_rank``.
        reg_covar: Added to every variance, in squared units of ``x``; ``auto`` is 1e-6, bounded by
            the scale of the samples.
        tol: EM stops when the lower bound changes by less, in nats.
        max_iter: Largest number of iterations.
        missing: ``marginalize`` takes NaN for a value that is not known; the criteria are then of
            the density of what is known.
        device: Where to compute, such as ``cuda``; None for where the samples are.

    Raises:
        ValueError: If a setting or sample cannot be used, or if every candidate collapses.
    """
    reader = GaussianMixture(missing=missing)
    check_settings(reader.get_params(deep=False))
    counts = _read_choices(n_components, covariance_types)
    refuse_chunks(x, "sweep")
    place = read_device(device)
    rows = read_rows(reader, x, fitting=True)
    rows = rows.to(place or rows.device)
    MISSING[missing].check(rows)
    weights = None if sample_weight is None else validate_weights(sample_weight, rows)
    prototypes = [
        GaussianMixture(
            count,
            covariance_type=name,
            rank=rank,
            n_init=n_init,
            random_state=seed,
            reg_covar=reg_covar,
            tol=tol,
            max_iter=max_iter,
            missing=missing,
            device=device,
        )
        for name in covariance_types
        for count in counts
    ]
    if n_folds is None and criterion == "held_out":
        n_folds = DEFAULT_FOLDS
    check_number("seed", seed, Integral, "an integer >= 0", 0)
    _check(prototypes, len(rows), criterion, n_folds)
    check_starts(init_params)
    samples = MISSING[missing].samples(rows, weights)
    _warn_of_few_samples(prototypes, samples)
    runs = fit_all(samples, prototypes, init_params)
    deviances = [math.nan] * len(runs)
    if n_folds is not None:
        deviances = held_out_deviances(cut_folds(samples, n_folds, seed), prototypes, init_params)
    candidates = tuple(map(partial(describe_candidate, samples), prototypes, runs, deviances))
    best = min(range(len(runs)), key=lambda index: getattr(candidates[index], criterion))
    as_tensors = isinstance(x, Tensor)
    winner = prototypes[best].set_fitted(runs[best].best(), dtype=rows.dtype, as_tensors=as_tensors)
    if hasattr(reader, "feature_names_in_"):  # scikit-learn's, of a frame
        vars(winner)["feature_names_in_"] = vars(reader)["feature_names_in_"]
    return Sweep(candidates, winner, criterion, len(rows))


def _read_choices(
    n_components: Iterable[int], covariance_types: Sequence[CovarianceType]
) -> list[int]:
    """The numbers of components, which may come from a generator, for each covariance type."""
    if not isinstance(n_components, Iterable) or isinstance(n_components, str):
        raise ValueError(
            f"n_components={n_components!r}, expected several numbers to try, such as range(1, 11)"
        )
    if isinstance(covariance_types, str):
        raise ValueError(
            f"covariance_types={covariance_types!r}, expected a sequence such as ('full', 'diag')"
        )
    return list(n_components)


def _check(
    prototypes: Sequence[GaussianMixture], n_samples: int, criterion: str, n_folds: int | None
) -> None:
    if criterion not in get_args(Criterion):
        expected = ", ".join(get_args(Criterion))
        raise ValueError(f"criterion={criterion!r}, expected one of {expected}")
    if not prototypes:
        raise ValueError(
            "n_components and covariance_types leave nothing to fit, expected at least one of each"
        )
    whole = isinstance(n_folds, Integral) and not isinstance(n_folds, bool)
    if n_folds is not None and not (whole and 2 <= n_folds <= n_samples):
        raise ValueError(
            f"n_folds={n_folds!r}, expected 2 to {n_samples}, the number of samples, and whole; "
            f"5 is usual"
        )
    largest_fold = math.ceil(n_samples / n_folds) if n_folds else 0
    for prototype in prototypes:
        check_settings(prototype.get_params(deep=False))
        check_sample_count(n_samples - largest_fold, prototype.n_components)


def _warn_of_few_samples(prototypes: Sequence[GaussianMixture], samples: InMemory) -> None:
    """Warns if the mixture with most free dimensions has too few samples for them."""
    d = samples.x.shape[1]

    def free(prototype: GaussianMixture) -> float:
        count = prototype.n_components
        return covariance_for(prototype).n_parameters(count, d) / count + d

    worst = max(prototypes, key=lambda prototype: free(prototype) * prototype.n_components)
    per_component = samples.n_samples / worst.n_components
    if per_component < free(worst):
        warnings.warn(
            f"{worst.n_components} {worst.covariance_type} components have {free(worst):,.0f} free "
            f"dimensions each and {per_component:,.1f} of {samples.n_samples:,} samples each, "
            f"expected more samples than dimensions; its likelihood is memorised: try fewer "
            f"components, diag, low_rank or fewer features",
            stacklevel=5,
        )
