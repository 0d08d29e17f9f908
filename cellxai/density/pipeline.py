"""From images to a verdict: what every view sees, how surprising it is, and how rare that is."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.density.fitted_view import FittedView, KnownRows, fit_views, measure_by
from cellxai.density.p_values import (
    LEAST_SURPRISE,
    joint_log_p,
    log_surprise,
    tail_log_p,
    tail_of,
    tail_size,
)
from cellxai.density.persistence import read_pipeline, write_pipeline
from cellxai.density.settings import PipelineSettings
from cellxai.density.taught_rows import IMAGES_AT_ONCE
from cellxai.density.verdicts import Calibration, Verdicts, calibrate
from cellxai.density.views import View
from cellxai.trained.rows import Rows, RowSource, as_source

PIPELINE_FILE = "pipeline.safetensors"  # in the folder of a run's density


class DensityPipeline:
    """Whether an image is known: asked of every view, decided by the most surprised ones.

    ``fit`` learns the density of every view from known images, and what surprise is usual from the
    same images, each scored by densities that were not fitted to it (cross-conformal prediction:
    Vovk 2015, doi:10.1007/s10472-013-9368-4; Barber et al. 2021, doi:10.1214/20-AOS1965).

    Args:
        views: Ways of looking at an image, by name.
        settings: What is flagged; its views are not looked at.
        seed: Seed of whatever is random.

    Attributes:
        fitted_: Every view with its density, by name.
        calibration_: What is usual, and the thresholds.
    """

    def __init__(
        self,
        views: Mapping[str, View],
        settings: PipelineSettings = PipelineSettings(),
        seed: int = 0,
    ) -> None:
        self.views = dict(views)
        self.settings = settings
        self.seed = seed

    fitted_: dict[str, FittedView]
    calibration_: Calibration

    def fit(
        self,
        rows: Rows | RowSource,
        folds: Int[Tensor, " n"],
        labels: Int[Tensor, " n"],
        trained: Bool[Tensor, " n"] | None = None,
        units: Int[Tensor, " n"] | None = None,
    ) -> "DensityPipeline":
        """Learns what known images are like.

        Args:
            rows: What each view sees of each image; a source is asked for some images at a time.
            folds: Fold of each image, from 0.
            labels: Classes of the images.
            trained: Whether the network was trained on each image; ``None`` if on none of them.
            units: The group of each image; ``None`` for images that have nothing to do with each
                other.

        Raises:
            ValueError: If a row is not finite, or there are too few images or folds.
        """
        n = len(folds)
        known = KnownRows(
            as_source(rows),
            folds,
            torch.zeros(n, dtype=torch.bool) if trained is None else trained,
            labels,
            torch.arange(n) if units is None else units,
        )
        learned = fit_views(self.views, known, self.seed)
        surprises = torch.stack([fitted.surprises for fitted in learned.values()], 1)
        self.fitted_ = {  # one copy of them: there may be a million images
            name: replace(fitted, surprises=surprises[:, view])
            for view, (name, fitted) in enumerate(learned.items())
        }
        remembered = [fitted.remembered for fitted in learned.values()]
        self.calibration_ = calibrate(
            surprises, remembered, known.trained, self.settings.percent, self.settings.guarantee
        )
        return self

    def surprises(self, rows: Rows | RowSource) -> Float[Tensor, "m v"]:
        """Surprise of images in every view, by densities of all images of the fit."""
        source = as_source(rows)
        parts = [torch.empty(0, len(self.fitted_), dtype=torch.float64)]
        for images in torch.arange(len(source)).split(IMAGES_AT_ONCE) if len(source) else ():
            seen = source.of(images)
            of_views = [fitted.surprise(seen[name]) for name, fitted in self.fitted_.items()]
            parts.append(torch.stack(of_views, 1))
        return torch.cat(parts)

    def judge(self, rows: Rows | RowSource) -> Verdicts:
        """The verdicts on images that nothing was fitted to."""
        with torch.no_grad():
            return self.calibration_.judge(self.surprises(rows))

    def judge_out_of_fold(self, rows: Rows | RowSource, folds: Int[Tensor, " m"]) -> Verdicts:
        """The verdicts on changed images of the fit, by densities of the other folds.

        Only after :meth:`fit`: the densities of the folds are not saved.
        """
        with torch.no_grad():
            of_folds = {name: fitted.of_folds for name, fitted in self.fitted_.items()}
            surprises = measure_by(of_folds, self.views, as_source(rows), folds)
        return self.calibration_.judge(torch.stack(list(surprises.values()), 1))

    def judge_known(self) -> Verdicts:
        """The verdicts on the images of the fit, each by densities that were not fitted to it."""
        return self.calibration_.judge_known()

    def log_familiarity(self, rows: Rows) -> Float[Tensor, " m"]:
        """What decides over all views, by the tails of :meth:`log_tails`; differentiable.

        See :func:`joint_log_p`; of two panels the more surprised one decides.
        """
        tails, names = self.log_tails(rows), list(self.fitted_)
        panels = [
            torch.stack([tails[names[place]] for place in panel.views], -1)
            for panel in self.calibration_.heard
        ]
        return torch.stack([joint_log_p(panel) for panel in panels]).amin(0)

    def log_tails(self, rows: Rows) -> dict[str, Float[Tensor, " m"]]:
        """Log p-value in each view that has a say, by its tail alone; differentiable everywhere.

        For images more surprising than nine in ten known ones it is that of the verdict; others
        have a number above the logarithm of a tenth, instead of a rank, which has no gradient.
        """
        answers = {}
        names = list(self.fitted_)
        for panel in self.calibration_.heard:
            logs = log_surprise(panel.surprises)
            k = tail_size(len(logs))
            edges, scales = tail_of(logs.topk(k, 0).values.T)
            for place, edge, scale in zip(panel.views, edges, scales, strict=True):
                surprise = self.fitted_[names[place]].surprise(rows[names[place]])
                log_of = surprise.clamp(min=LEAST_SURPRISE).log()
                answers[names[place]] = tail_log_p(log_of, edge, scale, k / (len(logs) + 1))
        return answers

    def save(self, path: Path, weights: str = "") -> None:
        """Writes the pipeline into one ``.safetensors`` file, atomically.

        Args:
            path: The file.
            weights: Hash of the network's weights; empty without a network.
        """
        write_pipeline(
            path, self.settings, self.views, self.seed, self.fitted_, self.calibration_, weights
        )

    @classmethod
    def load(cls, path: Path, weights: str = "") -> "DensityPipeline":
        """Reads a pipeline that answers as the saved one did.

        Args:
            path: What :meth:`save` wrote.
            weights: Hash of the weights of the network that it should be of; empty for any.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is damaged, of an earlier version, or of another network.
        """
        settings, views, seed, fitted, calibration = read_pipeline(path, weights)
        pipeline = cls(views, settings, seed)
        pipeline.fitted_, pipeline.calibration_ = fitted, calibration
        return pipeline
