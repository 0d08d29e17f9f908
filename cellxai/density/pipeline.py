"""From features to a verdict: standardise, project, fit mixtures, set a threshold."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from cellxai.density.fitting import FittedDensity, fit_density
from cellxai.density.p_values import Calibration
from cellxai.density.persistence import read_density, write_density
from cellxai.density.projection import Projection
from cellxai.density.roles import split_folds
from cellxai.density.settings import PipelineSettings
from gmm.anomaly import DensityThreshold
from gmm.crossfitting import cross_fit
from gmm.selection import Sweep

PIPELINE_FILE = "pipeline.safetensors"  # in the folder of a run's density


class DensityPipeline:
    """How familiar the features of an image are, and whether that is too little.

    ``fit`` learns the density, and ``calibrate`` sets the threshold by other images. ``fit_folds``
    does both with the same images, each scored by a pipeline that has not seen it. So no threshold
    is set by images that the scoring density was fitted to. Features are tensors n × f of float64,
    or of float32 where less precision is enough; the density itself is float64.

    Args:
        settings: How the density is fitted and what is flagged.
        seed: Seed of the mixtures' starts.

    Attributes:
        fitted_: The density.
        sweeps_: The mixtures that competed, one sweep per class where each class has a mixture; not
            saved.
        calibration_: Scores of images that were not fitted to.
    """

    def __init__(self, settings: PipelineSettings = PipelineSettings(), seed: int = 0) -> None:
        self.settings = settings
        self.seed = seed

    def fit(
        self, features: Float[Tensor, "n f"], labels: Int[Tensor, " n"] | None = None
    ) -> "DensityPipeline":
        """Learns the density of known images; an earlier threshold is removed.

        Args:
            features: Features of the images.
            labels: Classes of the images, needed for a mixture per class.

        Raises:
            ValueError: If a setting or a feature cannot be used, or the images are too few.
        """
        check_features(features, labels, self.settings)
        vars(self).pop("calibration_", None)
        self.fitted_, self.sweeps_ = fit_density(
            features.double(), labels, self.settings, self.seed
        )
        return self

    def calibrate(self, held_out: Float[Tensor, "m f"]) -> "DensityPipeline":
        """Sets the threshold by known images that were not fitted to.

        Raises:
            ValueError: If there is none, or one has no finite density.
        """
        return self._calibrate(self._scores(held_out.double()), n_folds=0)

    def fit_folds(
        self,
        features: Float[Tensor, "n f"],
        folds: Int[Tensor, " n"],
        labels: Int[Tensor, " n"] | None = None,
    ) -> "DensityPipeline":
        """Learns the density of all images, and the threshold from folds of the same.

        Each image is scored by a pipeline that was fitted to the other folds, including
        standardisation, PCA and the choice of the mixture. These scores set the threshold of the
        pipeline that is fitted to all images (cross-conformal prediction: Vovk 2015,
        doi:10.1007/s10472-013-9368-4). That pipeline has seen a few more images than those of the
        folds, so slightly fewer new images are flagged.

        Args:
            features: Features of the images.
            folds: Fold of each image, from 0.
            labels: Classes of the images, needed for a mixture per class.

        Raises:
            ValueError: If there are fewer than two folds, or as :meth:`fit`.
        """
        check_features(features, labels, self.settings)
        parts = split_folds(folds)
        settings = self._fit_for_folds(features, folds, labels)

        def fit(rows: Int[Tensor, " m"]) -> DensityPipeline:
            part_labels = None if labels is None else labels[rows]
            return DensityPipeline(settings, self.seed).fit(features[rows], part_labels)

        def score(pipeline: DensityPipeline, rows: Int[Tensor, " m"]) -> Float[Tensor, "_ m"]:
            return pipeline._scores(features[rows].double())

        crossed = cross_fit(len(features), parts, fit, score)
        return self._calibrate(crossed.scores, n_folds=len(parts))

    def score_samples(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Log density in nats, summed over classes; differentiable in the features."""
        return self.fitted_.log_density(features)

    def class_log_density(
        self, features: Float[Tensor, "n f"], classes: Int[Tensor, " n"]
    ) -> Float[Tensor, " n"] | None:
        """Log density given a class of each image; ``None`` without a mixture per class.

        It is -inf for a class that no image of the fit has.

        Args:
            features: Features of the images.
            classes: A class for each image, such as the predicted one.
        """
        if self.fitted_.classes is None:
            return None
        scores = self.fitted_.conditional(features)
        unknown = scores.new_full((len(scores), 1), -torch.inf)
        match = classes[:, None] == self.fitted_.classes
        index = torch.where(match.any(1), match.int().argmax(1), scores.shape[1])
        return torch.cat([scores, unknown], 1).gather(1, index[:, None])[:, 0]

    def reconstruction_error(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"] | None:
        """Mean squared error of PCA's reconstruction; ``None`` without PCA."""
        if self.settings.projection is None:
            return None
        return self.fitted_.projection.error(features)

    def evidence(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """The smaller log p-value of density and error, see :meth:`Calibration.evidence`."""
        return self.calibration_.evidence(*self._split(self._scores(features)))

    @property
    def threshold(self) -> DensityThreshold:
        """The least log density that is not flagged, and what set it."""
        return self.calibration_.threshold

    @property
    def gap_nats(self) -> float:
        """Median log density of the images of the fit minus that of unseen ones.

        Near 0, the mixture knows such images in general; far above 0, only those it was fitted to.
        """
        seen, unseen = self.fitted_.fit_log_density, self.calibration_.log_density
        return float(seen.median() - unseen.median())

    def unfamiliar(
        self, features: Float[Tensor, "n f"], percent: float | None = None
    ) -> Bool[ndarray, " n"]:
        """Which images are flagged, by ``settings.verdict``.

        Args:
            features: Features of the images.
            percent: Share of known images to flag; ``None`` for that of the settings.
        """
        scores = self._split(self._scores(features.double()))
        return self.calibration_.flags(*scores, self.settings.verdict, percent)

    def save(self, path: Path) -> None:
        """Writes everything but the sweeps into one ``.safetensors`` file, atomically."""
        header = {"settings": asdict(self.settings), "seed": self.seed}
        write_density(path, "cellxai.density", header, self.fitted_, self.calibration_)

    @classmethod
    def load(cls, path: Path) -> "DensityPipeline":
        """Reads a pipeline that answers as the saved one did.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is damaged or was not written by :meth:`save`.
        """

        def unfitted(header: Mapping[str, Any]) -> DensityPipeline:
            return cls(PipelineSettings(**header["settings"]), int(header["seed"]))

        pipeline, fitted, calibration = read_density(path, "cellxai.density", unfitted)
        pipeline.fitted_, pipeline.calibration_ = fitted, calibration
        return pipeline

    fitted_: FittedDensity
    sweeps_: tuple[Sweep, ...]
    calibration_: Calibration

    def _fit_for_folds(
        self,
        features: Float[Tensor, "n f"],
        folds: Int[Tensor, " n"],
        labels: Int[Tensor, " n"] | None,
    ) -> PipelineSettings:
        """Fits all images, and returns the settings for the folds: with the same number of axes."""
        self.fit(features, labels)
        settings = keep_axes(self.settings, self.fitted_.projection)
        n_possible = len(features) - int(folds.bincount().max()) - 1
        if settings.projection is None or settings.projection <= n_possible:
            return settings
        settings = replace(settings, projection=n_possible)
        whole = DensityPipeline(settings, self.seed).fit(features, labels)
        self.fitted_, self.sweeps_ = whole.fitted_, whole.sweeps_
        return settings

    def _scores(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "_ n"]:
        """Log densities, and below them reconstruction errors where there is PCA."""
        with torch.no_grad():
            error = self.reconstruction_error(features)
            density = self.score_samples(features)
            return torch.stack([density] if error is None else [density, error])

    def _split(
        self, scores: Float[Tensor, "_ n"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"] | None]:
        return scores[0], scores[1] if len(scores) > 1 else None

    def _calibrate(self, scores: Float[Tensor, "_ n"], n_folds: int) -> "DensityPipeline":
        density, error = self._split(scores)
        calibration = Calibration(density, error, self.settings.percent, n_folds)
        self.calibration_ = calibration.check_threshold()
        return self


def keep_axes(settings: PipelineSettings, projection: Projection) -> PipelineSettings:
    """Settings for folds of images, with as many axes as the projection of all of them.

    Densities of different dimensions differ in units: with one axis fewer, all scores of a fold
    would be nats away from the threshold that they are to set.
    """
    if settings.projection is None:
        return settings
    return replace(settings, projection=projection.n_dimensions)


def check_features(
    features: Float[Tensor, "n f"], labels: Int[Tensor, " n"] | None, settings: PipelineSettings
) -> None:
    """Refuses features from which no density can be learned.

    Raises:
        ValueError: If there are fewer than two images, a feature is not finite, or a mixture per
            class has no classes.
    """
    if len(features) < 2:
        raise ValueError(f"features of {len(features)} image, expected at least two images")
    broken = ~features.isfinite().all(1)
    if broken.any():
        row = int(broken.nonzero()[0])
        raise ValueError(f"features of image {row} are not finite; leave it out")
    if settings.per_class and labels is None:
        raise ValueError("per_class=true needs the classes of the images; pass labels")
