"""Features to a verdict: standardise, project, mixture, and a threshold of images never fitted."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from cellxai.density.fitted import FittedDensity, fit_density
from cellxai.density.persistence import read_density, write_density
from cellxai.density.settings import PipelineSettings
from cellxai.density.thresholds import Calibration
from gmm.anomaly import DensityThreshold
from gmm.selection import Sweep

PIPELINE_FILE = "pipeline.safetensors"  # in the folder of a run's density


class DensityPipeline:
    """How well known the features of an image are, and whether that is too little.

    ``fit`` learns the density and ``calibrate`` the threshold, from other images; or ``fit_folds``
    both from the same ones, each scored by a pipeline that has not seen it: nothing about a
    threshold is computed on data that it was fitted to. Features are tensors n × f of float64, or
    of float32 where less precision will do; what is learnt is float64.

    Args:
        settings: What is done.
        seed: Of the mixtures' starts.

    Attributes:
        fitted_: The density.
        sweeps_: The mixtures that competed, of each class if there is one a class; not saved.
        calibration_: Scores of unseen images.
    """

    def __init__(self, settings: PipelineSettings = PipelineSettings(), seed: int = 0) -> None:
        self.settings = settings
        self.seed = seed

    def fit(
        self, features: Float[Tensor, "n f"], labels: Int[Tensor, " n"] | None = None
    ) -> "DensityPipeline":
        """Learns the density of known images; an earlier threshold is forgotten.

        Args:
            features: Of the images.
            labels: Their classes, needed for a mixture per class.

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
        self.calibration_ = self._calibration(*self._scores(held_out.double()), n_folds=0)
        return self

    def fit_folds(
        self,
        features: Float[Tensor, "n f"],
        folds: Int[Tensor, " n"],
        labels: Int[Tensor, " n"] | None = None,
    ) -> "DensityPipeline":
        """Learns the density of all images, and the threshold from folds of the same.

        Each image is scored by a pipeline that was fitted to the other folds, standardisation, PCA
        and choice of the mixture included; these scores set the threshold of the pipeline that is
        fitted to all (cross-conformal prediction: Vovk 2015, doi:10.1007/s10472-013-9368-4). It has
        seen a little more than they, so that new images are flagged a little less often.

        Args:
            features: Of the images.
            folds: Of each image, from 0.
            labels: Their classes, needed for a mixture per class.

        Raises:
            ValueError: If there are fewer than two folds, or as :meth:`fit`.
        """
        check_features(features, labels, self.settings)
        names = folds.unique()
        if len(names) < 2:
            raise ValueError(f"{len(names)} fold of {len(folds)} images, expected at least two")
        settings = self._fit_for_folds(features, folds, labels)
        scores = torch.full((2, len(features)), torch.nan, dtype=torch.float64)
        for name in names:
            unseen = folds == name
            seen_labels = None if labels is None else labels[~unseen]
            part = DensityPipeline(settings, self.seed).fit(features[~unseen], seen_labels)
            density, error = part._scores(features[unseen].double())
            scores[0, unseen] = density
            scores[1, unseen] = torch.nan if error is None else error
        error = None if settings.projection is None else scores[1]
        self.calibration_ = self._calibration(scores[0], error, n_folds=len(names))
        return self

    def score_samples(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Log density in nats, whatever the class; differentiable with respect to the features."""
        return self.fitted_.log_density(features)

    def class_log_density(
        self, features: Float[Tensor, "n f"], classes: Int[Tensor, " n"]
    ) -> Float[Tensor, " n"] | None:
        """Log density given the class, such as the predicted one; ``None`` without one a class.

        -inf for a class that no image of the fit has.
        """
        if self.fitted_.classes is None:
            return None
        scores = self.fitted_.conditional(features)
        unknown = scores.new_full((len(scores), 1), -torch.inf)
        match = classes[:, None] == self.fitted_.classes
        place = torch.where(match.any(1), match.int().argmax(1), scores.shape[1])
        return torch.cat([scores, unknown], 1).gather(1, place[:, None])[:, 0]

    def reconstruction_error(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"] | None:
        """Mean squared error of PCA's reconstruction; ``None`` without PCA."""
        if self.settings.projection is None:
            return None
        return self.fitted_.projection.error(features)

    def evidence(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """The smaller log p-value of density and error, see :meth:`Calibration.evidence`."""
        return self.calibration_.evidence(*self._scores(features))

    @property
    def threshold(self) -> DensityThreshold:
        """The least log density that is not flagged, and what set it."""
        return self.calibration_.threshold

    @property
    def gap_nats(self) -> float:
        """Median log density of the images of the fit less that of unseen ones.

        Near 0 the mixture knows images in general; far above, those that it was fitted to.
        """
        seen, unseen = self.fitted_.fit_log_density, self.calibration_.log_density
        return float(seen.median() - unseen.median())

    def unfamiliar(
        self, features: Float[Tensor, "n f"], percent: float | None = None
    ) -> Bool[ndarray, " n"]:
        """Which images are flagged, by ``settings.verdict``.

        Args:
            features: Of the images.
            percent: Another share of known images than the settings'.
        """
        scores = self._scores(features.double())
        return self.calibration_.flags(*scores, self.settings.verdict, percent)

    def save(self, path: Path) -> None:
        """Writes everything but the sweeps into one ``.safetensors`` file, atomically."""
        told = {"settings": asdict(self.settings), "seed": self.seed}
        write_density(path, "cellxai.density", told, self.fitted_, self.calibration_)

    @classmethod
    def load(cls, path: Path) -> "DensityPipeline":
        """Reads a pipeline that answers as the saved one did.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is damaged or was not written by :meth:`save`.
        """

        def unfitted(told: Mapping[str, Any]) -> DensityPipeline:
            return cls(PipelineSettings(**told["settings"]), int(told["seed"]))

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
        """Fits all images, and returns the settings for the folds: with as many axes.

        Densities of different dimensions differ in units: with an axis less, all scores of a fold
        would be nats off the threshold that they are to set.
        """
        self.fit(features, labels)
        if self.settings.projection is None:
            return self.settings
        n_axes = self.fitted_.projection.n_dimensions
        n_possible = len(features) - int(folds.bincount().max()) - 1
        settings = replace(self.settings, projection=min(n_axes, n_possible))
        if n_possible < n_axes:
            whole = DensityPipeline(settings, self.seed).fit(features, labels)
            self.fitted_, self.sweeps_ = whole.fitted_, whole.sweeps_
        return settings

    def _scores(
        self, features: Float[Tensor, "n f"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"] | None]:
        with torch.no_grad():
            return self.score_samples(features), self.reconstruction_error(features)

    def _calibration(
        self, density: Float[Tensor, " n"], error: Float[Tensor, " n"] | None, n_folds: int
    ) -> Calibration:
        return Calibration(density, error, self.settings.percent, n_folds).with_threshold()


def check_features(
    features: Float[Tensor, "n f"], labels: Int[Tensor, " n"] | None, settings: PipelineSettings
) -> None:
    """Refuses what no density can be learnt from.

    Raises:
        ValueError: If there are fewer than two images, a feature is not finite, or a mixture per
            class has no classes.
    """
    if len(features) < 2:
        raise ValueError(f"features of {len(features)} image, expected those of two at least")
    broken = ~features.isfinite().all(1)
    if broken.any():
        row = int(broken.nonzero()[0])
        raise ValueError(f"features of image {row} are not finite; leave it out")
    if settings.per_class and labels is None:
        raise ValueError("per_class=true needs the classes of the images; pass labels")
