"""What a density pipeline learns of features: their coordinates, and mixtures in these."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.projection import Projection, fit_projection
from cellxai.density.settings import PipelineSettings
from gmm.estimator import GaussianMixture
from gmm.selection import Sweep, sweep

N_FOLDS = 5  # of the held-out likelihood that mixtures are compared by


@dataclass(frozen=True)
class FittedDensity:
    """One mixture of all images, or one of each class, in the coordinates of a projection.

    Args:
        projection: Features to points.
        mixtures: One, or one a class.
        log_shares: Of each mixture, in nats: the share of the images that it was fitted to.
        classes: The class of each mixture; ``None`` for one mixture of all.
        fit_log_density: Of the images of the fit, in nats: too good to set anything.
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
        """Log density in nats, whatever the class; differentiable."""
        return self.joint(features).logsumexp(1)

    @property
    def least_samples(self) -> float:
        """Images per component of the mixture that has fewest."""
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
    """The density of features, and the mixtures that competed for it.

    These are one list, or one a class if each class has a mixture.

    Raises:
        ValueError: If a setting or a feature cannot be used, or the images are too few.
    """
    projection = fit_projection(features, settings.standardise, settings.projection)
    points = projection.points(features)
    classes = labels.unique() if settings.per_class and labels is not None else None
    parts = [points] if classes is None else [points[labels == name] for name in classes]
    sweeps = tuple(map(partial(swept, settings=settings, seed=seed), parts))
    shares = torch.tensor([len(part) / len(points) for part in parts], dtype=points.dtype)
    mixtures = tuple(found.winner for found in sweeps)
    bare = FittedDensity(projection, mixtures, shares.log(), classes, points.new_empty(0))
    known = bare.log_density(features)
    return FittedDensity(projection, mixtures, shares.log(), classes, known), sweeps


def swept(points: Float[Tensor, "n d"], settings: PipelineSettings, seed: int) -> Sweep:
    """The mixtures that the settings name, fitted to points; the best one is the winner."""
    n_candidates = len(settings.n_components) * len(settings.covariance_types)
    with warnings.catch_warnings():
        # The pipeline says it of the mixture that is chosen, not of one that was tried.
        warnings.filterwarnings("ignore", ".*its likelihood is memorised.*")
        return sweep(
            points,
            settings.n_components,
            settings.covariance_types,
            n_init=settings.n_init,
            # With nothing to choose from, folds would say nothing.
            criterion=settings.criterion if n_candidates > 1 else "bic",
            n_folds=min(N_FOLDS, len(points)) if n_candidates > 1 else None,
            seed=seed,
            rank=settings.rank,
            reg_covar=settings.reg_covar,
        )


def sample(fitted: FittedDensity, n_samples: int, seed: int) -> Float[Tensor, "n f"]:
    """Features drawn from the mixtures by way of the inverse projection."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(fitted.log_shares.exp(), n_samples, True, generator=generator)
    points: Sequence[Tensor] = [
        fitted.mixtures[int(which)].as_module().sample(1, generator)[0] for which in drawn
    ]
    return fitted.projection.features(torch.stack(points))
