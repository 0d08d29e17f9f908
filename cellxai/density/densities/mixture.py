"""A mixture of Gaussians in principal axes, chosen by held-out likelihood; or one per class."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.densities.base import Density, FittedDensity, State
from cellxai.density.projection import Projection, fit_projection
from gmm.estimator import GaussianMixture
from gmm.options import CovarianceType, Criterion, Regulariser
from gmm.selection import Sweep, sweep

N_FOLDS = 5  # for the held-out likelihood by which mixtures are compared


@dataclass(frozen=True)
class FittedMixture(FittedDensity):
    """One mixture of all rows, or one of each class, in the coordinates of a projection.

    Args:
        projection: Rows to points.
        mixtures: One mixture, or one per class.
        log_shares: Logarithm of the share of the rows that each mixture was fitted to.
        classes: The class of each mixture; ``None`` for one mixture of all rows.
        n_rows: Number of rows of the fit.
        sweeps: The mixtures that competed, one sweep per mixture; not saved.
    """

    projection: Projection
    mixtures: tuple[GaussianMixture, ...]
    log_shares: Float[Tensor, " c"]
    classes: Int[Tensor, " c"] | None
    n_rows: int
    sweeps: tuple[Sweep, ...] = ()

    def surprise(self, rows: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """See :meth:`FittedDensity.surprise`; the peak is bounded by the sum of the components'."""
        return (self.peak - self.log_density(rows.double())).clamp(min=0)

    def log_density(self, rows: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Log density in nats, summed over the classes; differentiable."""
        points = self.projection.points(rows)
        conditional = torch.stack([mixture.score_samples(points) for mixture in self.mixtures], 1)
        return (conditional + self.log_shares.to(points)).logsumexp(1)

    @cached_property
    def peak(self) -> float:
        """The least bound of the log density, in nats: that of all components at their means."""
        peaks = [
            log_share + peak
            for log_share, mixture in zip(self.log_shares.tolist(), self.mixtures, strict=True)
            for peak in component_peaks(mixture)
        ]
        return float(torch.tensor(peaks, dtype=torch.float64).logsumexp(0))

    @property
    def least_samples(self) -> float:
        """Rows per component, of the mixture with the fewest."""
        n_rows = self.n_rows * self.log_shares.exp()
        return min(
            float(n) / mixture.n_components
            for n, mixture in zip(n_rows, self.mixtures, strict=True)
        )

    def state(self) -> State:
        """See :meth:`FittedDensity.state`."""
        return {
            "projection": self.projection.state(),
            "mixtures": self.mixtures,
            "log_shares": self.log_shares,
            "classes": self.classes,
            "n_rows": self.n_rows,
        }


@dataclass(frozen=True)
class Mixture(Density):
    """A mixture of Gaussians in the principal axes of the rows.

    Args:
        standardise: Whether each feature is divided by its standard deviation first.
        projection: Below 1, PCA keeps the axes that explain this share of the variance; from 1 on,
            that many axes; null for no PCA, as ``low_rank`` mixtures need none.
        n_components: Numbers of components to try.
        covariance_types: Covariance types to try.
        rank: Columns of the loadings of ``low_rank``.
        n_init: Starts of each mixture.
        reg_covar: Added to every variance, in squared units of the points; ``auto`` is 1e-6, but
            between 1e-14 and 1e-3 of the mean variance of a coordinate, since features of different
            layers differ by orders of magnitude.
        criterion: How the mixture is chosen where there are several; ``held_out`` is the likelihood
            of rows that it was not fitted to.
        per_class: Whether each class has a mixture of its own (Mukhoti et al. 2021,
            arXiv:2102.11582, have one Gaussian per class); the density is that of their sum.

    Raises:
        ValueError: If a setting is outside its range.
    """

    standardise: bool = False
    projection: int | float | None = 0.95
    n_components: Sequence[int] = (1, 2, 3, 4, 5, 6)
    covariance_types: Sequence[CovarianceType] = ("full", "tied", "diag", "spherical")
    rank: int = 8
    n_init: int = 3
    reg_covar: Regulariser = "auto"
    criterion: Criterion = "held_out"
    per_class: bool = False

    def __post_init__(self) -> None:
        kept = self.projection
        if kept is not None and not (0 < kept < 1 or (kept >= 1 and kept == int(kept))):
            raise ValueError(
                f"projection={kept}: expected a share of the variance between 0 and 1, a whole "
                "number of axes, or null for no PCA"
            )
        if not self.n_components or not self.covariance_types:
            raise ValueError(
                f"n_components={list(self.n_components)} and covariance_types="
                f"{list(self.covariance_types)}: expected at least one of each"
            )

    def fit(
        self, rows: Float[Tensor, "n f"], labels: Int[Tensor, " n"] | None, seed: int
    ) -> FittedMixture:
        """See :meth:`Density.fit`.

        Raises:
            ValueError: If the rows are too few, or a mixture per class has no classes.
        """
        if self.per_class and labels is None:
            raise ValueError("per_class=true needs the classes of the images; pass labels")
        projection = fit_projection(rows.double(), self.standardise, self.projection)
        points = projection.points(rows.double())
        classes = labels.unique() if self.per_class and labels is not None else None
        parts = [points] if classes is None else [points[labels == label] for label in classes]
        sweeps = tuple(map(partial(sweep_mixtures, settings=self, seed=seed), parts))
        shares = torch.tensor([len(part) / len(points) for part in parts], dtype=points.dtype)
        mixtures = tuple(swept.winner for swept in sweeps)
        return FittedMixture(projection, mixtures, shares.log(), classes, len(rows), sweeps)

    def restore(self, state: State) -> FittedMixture:
        """See :meth:`Density.restore`."""
        return FittedMixture(**{**state, "projection": Projection(**state["projection"])})

    def like(self, fitted: FittedDensity, n_rows: int) -> "Mixture":
        """See :meth:`Density.like`."""
        assert isinstance(fitted, FittedMixture)
        if self.projection is None:
            return self
        n_axes = min(fitted.projection.n_dimensions, max(1, n_rows - 1))
        settings: dict[str, Any] = {**vars(self), "projection": n_axes}
        return Mixture(**settings)


def component_peaks(mixture: GaussianMixture) -> list[float]:
    """Logarithm of weight times density of each component at its own mean, in nats."""
    means = torch.as_tensor(mixture.means_)
    joint = mixture.score_samples(means) + mixture.predict_proba(means).diagonal().log()
    return joint.tolist()


def sweep_mixtures(points: Float[Tensor, "n d"], settings: Mixture, seed: int) -> Sweep:
    """Fits the mixtures that the settings name to points; the best one is the winner."""
    n_candidates = len(settings.n_components) * len(settings.covariance_types)
    with warnings.catch_warnings():
        # The verb warns of the mixture that is chosen, not of each one that is tried.
        warnings.filterwarnings("ignore", ".*its likelihood is memorised.*")
        return sweep(
            points,
            settings.n_components,
            settings.covariance_types,
            n_init=settings.n_init,
            init_params=("kmeans",),
            # With a single candidate, folds would decide nothing.
            criterion=settings.criterion if n_candidates > 1 else "bic",
            n_folds=min(N_FOLDS, len(points)) if n_candidates > 1 else None,
            seed=seed,
            rank=settings.rank,
            reg_covar=settings.reg_covar,
        )


def sample_rows(fitted: FittedMixture, n_samples: int, seed: int) -> Float[Tensor, "n f"]:
    """Draws points from the mixtures and maps them back to rows."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(fitted.log_shares.exp(), n_samples, True, generator=generator)
    points: Sequence[Tensor] = [
        fitted.mixtures[int(index)].as_module().sample(1, generator)[0] for index in drawn
    ]
    return fitted.projection.features(torch.stack(points))
