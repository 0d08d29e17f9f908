"""Settings of the densities: of an image's features, and of single places in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cellxai.classifier.layer_names import PENULTIMATE
from gmm.options import CovarianceType, Criterion, Regulariser

Verdict = Literal["density", "either"]


@dataclass(frozen=True)
class PipelineSettings:
    """From features to a verdict: standardise, project, fit mixtures, set a threshold.

    Args:
        layer: Layer of the network whose outputs, averaged over places, are the features:
            ``penultimate``, or a dotted name such as ``backbone.blocks.1``. Late layers keep what
            separates the classes; early ones also keep focus, light and size. Not used with raw
            pixels.
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
            of images that it was not fitted to.
        per_class: Whether each class has a mixture of its own (Mukhoti et al. 2021,
            arXiv:2102.11582, have one Gaussian per class). The log density is then that of their
            sum, and that of the predicted class is given beside it.
        percent: Share of known images to flag, in percent.
        verdict: What makes an image unfamiliar: a low ``density``, or ``either`` that or a large
            reconstruction error.

    Raises:
        ValueError: If a setting is outside its range.
    """

    layer: str = PENULTIMATE
    standardise: bool = False
    projection: int | float | None = 0.95
    n_components: Sequence[int] = (1, 2, 3, 4, 5, 6)
    covariance_types: Sequence[CovarianceType] = ("full", "tied", "diag", "spherical")
    rank: int = 8
    n_init: int = 3
    reg_covar: Regulariser = "auto"
    criterion: Criterion = "held_out"
    per_class: bool = False
    percent: float = 4.0
    verdict: Verdict = "density"

    def __post_init__(self) -> None:
        kept = self.projection
        if kept is not None and not (0 < kept < 1 or (kept >= 1 and kept % 1 == 0)):
            raise ValueError(
                f"projection={kept}: expected a share of the variance between 0 and 1, a whole "
                "number of axes, or null for no PCA"
            )
        if not 0 < self.percent < 100:
            raise ValueError(
                f"percent={self.percent}: expected a share between 0 and 100 such as 4"
            )
        if not self.n_components or not self.covariance_types:
            raise ValueError(
                f"n_components={list(self.n_components)} and covariance_types="
                f"{list(self.covariance_types)}: expected at least one of each"
            )


PLACE_PIPELINE = PipelineSettings(
    standardise=True, projection=0.99, n_components=(1,), covariance_types=("full",), n_init=1
)


@dataclass(frozen=True)
class PlaceSettings:
    """A density of single places: it finds small things, which pooled features average out.

    Args:
        layers: Dotted names of convolutional layers of the network, early ones as a rule, such as
            ``backbone.blocks.1``; the first sets the grid of places.
        pipeline: From the features of a place to their density, and the share of known images to
            flag. There is one density of all places, so that its ``layer``, ``per_class`` and
            ``verdict`` have no meaning here.
        smoothing: Standard deviation of the Gaussian over the map of densities, in places; 0 for
            none.
        share: Share of the places of an image, the least known ones, whose mean log density is
            that of the image.
        n_places: Number of places that the density is fitted to, equally many from each image.

    Raises:
        ValueError: If there is no layer, a number is outside its range, or a setting has no meaning
            for places.
    """

    layers: Sequence[str]
    pipeline: PipelineSettings = PLACE_PIPELINE
    smoothing: float = 2.0
    share: float = 0.01
    n_places: int = 20000

    def __post_init__(self) -> None:
        if not self.layers or not 0 < self.share <= 1 or self.smoothing < 0 or self.n_places < 2:
            raise ValueError(
                f"layers={list(self.layers)}, share={self.share}, smoothing={self.smoothing}, "
                f"n_places={self.n_places}: expected at least one layer, a share above 0 and up "
                "to 1, a smoothing of 0 or more, and at least two places"
            )
        for name in ("layer", "per_class", "verdict"):
            value, usual = getattr(self.pipeline, name), getattr(PLACE_PIPELINE, name)
            if value != usual:
                raise ValueError(
                    f"places.pipeline.{name}={value}: has no meaning for places; leave it out"
                )
