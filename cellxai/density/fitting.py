"""Fits a density to features: their projection to coordinates, and mixtures in these."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.projection import Projection, fit_projection
from cellxai.density.settings import PipelineSettings
from gmm.estimator import GaussianMixture
from gmm.selection import Sweep, sweep

N_FOLDS = 5  # for the held-out likelihood by which mixtures are compared


@dataclass(frozen=True)
class FittedDensity:
    """One mixture of all images, or one of each class, in the coordinates of a projection.

    Args:
        projection: Features to points.
        mixtures: One mixture, or one per class.
        log_shares: Logarithm of the share of the images that each mixture was fitted to.
        classes: The class of each mixture; ``None`` for one mixture of all images.
        fit_log_density: Log density of the images of the fit, in nats; too high to set a threshold.
    """

    projection: Projection
    mixtures: tuple[GaussianMixture, ...]
    log_shares: Float[Tensor, " c"]
    classes: Int[Tensor, " c"] | None
    fit_log_density: Float[Tensor, " n"]

    def joint(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n c"]:
        """Joint log density of features and class in nats; differentiable."""
        return self.conditional(features) + self.log_shares.to(features)

    def conditional(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n c"]:
        """Log density given the class, in nats; differentiable."""
        points = self.projection.points(features)
        return torch.stack([mixture.score_samples(points) for mixture in self.mixtures], 1)

    def log_density(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Log density in nats, summed over the classes; differentiable."""
        return self.joint(features).logsumexp(1)

    @property
    def least_samples(self) -> float:
        """Images per component, of the mixture with the fewest."""
        n_images = len(self.fit_log_density) * self.log_shares.exp()
        return min(
            float(n) / mixture.n_components
            for n, mixture in zip(n_images, self.mixtures, strict=True)
        )


def fit_density(
    features: Float[Tensor, "n f"],
    labels: Int[Tensor, " n"] | None,
    settings: PipelineSettings,
    seed: int,
) -> tuple[FittedDensity, tuple[Sweep, ...]]:
    """The density of features, and the mixtures that competed to be it.

    There is one sweep, or one per class if each class has a mixture.

    Raises:
        ValueError: If a setting or a feature cannot be used, or the images are too few.
    """
    projection = fit_projection(features, settings.standardise, settings.projection)
    points = projection.points(features)
    classes = labels.unique() if settings.per_class and labels is not None else None
    parts = [points] if classes is None else [points[labels == label] for label in classes]
    sweeps = tuple(map(partial(sweep_mixtures, settings=settings, seed=seed), parts))
    shares = torch.tensor([len(part) / len(points) for part in parts], dtype=points.dtype)
    mixtures = tuple(swept.winner for swept in sweeps)
    unscored = FittedDensity(projection, mixtures, shares.log(), classes, points.new_empty(0))
    return replace(unscored, fit_log_density=unscored.log_density(features)), sweeps


def sweep_mixtures(points: Float[Tensor, "n d"], settings: PipelineSettings, seed: int) -> Sweep:
    """Fits the mixtures that the settings name to points; the best one is the winner."""
    n_candidates = len(settings.n_components) * len(settings.covariance_types)
    with warnings.catch_warnings():
        # The pipeline warns of the mixture that is chosen, not of each one that is tried.
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


def sample_features(fitted: FittedDensity, n_samples: int, seed: int) -> Float[Tensor, "n f"]:
    """Draws points from the mixtures and maps them back to features."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(fitted.log_shares.exp(), n_samples, True, generator=generator)
    points: Sequence[Tensor] = [
        fitted.mixtures[int(index)].as_module().sample(1, generator)[0] for index in drawn
    ]
    return fitted.projection.features(torch.stack(points))
