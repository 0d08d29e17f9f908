"""Where in an image is something that the classifier has never seen: a density of every place.

A place is a position in the grid of a convolutional layer's output. A pooled feature says little
about a small object: it is an average over the whole image. Here a mixture is fitted to the
features of single places in early layers, as PaDiM (Defard et al. 2021, arXiv:2011.08785) and
PatchCore (Roth et al. 2022, arXiv:2106.08265) compare patches; but one mixture serves all places,
since cells lie anywhere. An image is as familiar as its least known places. Everything is
differentiable, so that explainers of classifiers can explain it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.functional import gaussian_blur

from cellxai.classifier.layer_names import PENULTIMATE
from cellxai.classifier.module import CellClassifier
from cellxai.density.p_values import Calibration
from cellxai.density.persistence import read_density, write_density
from cellxai.density.pipeline import DensityPipeline, keep_axes
from cellxai.density.roles import split_folds
from cellxai.density.settings import PipelineSettings, PlaceSettings
from cellxai.explain.score import ModelWrapper
from cellxai.files.identity import hash_tensors
from cellxai.trained.layers import (
    check_layer,
    outputs_of,
    spatial_example,
)
from gmm.anomaly import DensityThreshold
from gmm.crossfitting import cross_fit

PLACES_FILE = "places.safetensors"  # in the folder of a run's density
NEIGHBOURS = 3  # side, in places, of the square that features are averaged over, as in PatchCore
BLUR_RADIUS_SIGMAS = 3  # a Gaussian has 0.3 % of its mass farther out
Batches = Iterable[Float[Tensor, "_ 3 h w"]]


class PlaceDensity(ModelWrapper):
    """Images to the log density of their least known places, in nats; a model of one score.

    A pixel with a negative attribution makes the image unusual. As with a
    :class:`DensityPipeline`, ``fit`` and ``calibrate`` take different images, and ``fit_folds``
    scores each image by a density that has not seen it.

    Args:
        model: The classifier, in evaluation mode.
        settings: How the density is fitted and what is flagged.
        seed: Seed of the draw of places and of the mixture's starts.

    Attributes:
        pipeline_: The density of places; it has no threshold, because that is one of images.
        calibration_: Scores of images that were not fitted to.

    Raises:
        ValueError: If there is no such layer, or it has no places.
    """

    model: CellClassifier
    pipeline_: DensityPipeline
    calibration_: Calibration

    def __init__(self, model: CellClassifier, settings: PlaceSettings, seed: int = 0) -> None:
        super().__init__(model)
        for layer in settings.layers:
            check_layer(model, layer)
            check_places(model, layer, layer != PENULTIMATE)
        self.settings = settings
        self.seed = seed

    def fit(self, batches: Batches, n_images: int) -> "PlaceDensity":
        """Learns the density of the places of known images; an earlier threshold is removed.

        Args:
            batches: The images.
            n_images: Number of images; from each, equally many places are drawn.

        Raises:
            ValueError: If a layer has no places, or there are too few.
        """
        vars(self).pop("calibration_", None)
        generator = torch.Generator().manual_seed(self.seed)
        n_per_image = max(1, self.settings.n_places // n_images)
        with torch.no_grad():
            sampled = [
                sample_places(self.places(images), n_per_image, generator) for images in batches
            ]
        settings = self.settings.pipeline
        self.pipeline_ = DensityPipeline(settings, self.seed).fit(torch.cat(sampled).double())
        return self

    def calibrate(self, batches: Batches) -> "PlaceDensity":
        """Sets the threshold by known images that were not fitted to.

        Raises:
            ValueError: If there is none, or one has no finite density.
        """
        return self._calibrate(self.scores(batches), n_folds=0)

    def fit_folds(
        self, images_at: Callable[[Int[Tensor, " m"]], Batches], folds: Int[Tensor, " n"]
    ) -> "PlaceDensity":
        """Learns the density of all images, and the threshold from folds of the same.

        See :meth:`DensityPipeline.fit_folds`.

        Args:
            images_at: Gives batches of the images at some indices of ``folds``.
            folds: Fold of each image, from 0.

        Raises:
            ValueError: If there are fewer than two folds, or as :meth:`fit`.
        """
        parts = split_folds(folds)
        self.fit(images_at(torch.arange(len(folds))), len(folds))
        pipeline = keep_axes(self.settings.pipeline, self.pipeline_.fitted_.projection)
        settings = replace(self.settings, pipeline=pipeline)
        crossed = cross_fit(
            len(folds),
            parts,
            fit=lambda seen: PlaceDensity(self.model, settings, self.seed).fit(
                images_at(seen), len(seen)
            ),
            score=lambda density, unseen: density.scores(images_at(unseen)),
        )
        return self._calibrate(crossed.scores, n_folds=len(parts))

    @torch.no_grad()
    def scores(self, batches: Batches) -> Float[Tensor, " n"]:
        """Log densities of the least known places of images, on the CPU in float64."""
        scores = [self(images)[:, 0].cpu().double() for images in batches]
        return torch.cat(scores) if scores else torch.empty(0, dtype=torch.float64)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1"]:
        """Mean log density of the least known places."""
        return mean_of_lowest(self.log_density_map(images), self.settings.share)[:, None]

    def log_density_map(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b rows columns"]:
        """Log density of every place, smoothed."""
        features = self.places(images)
        nats = self.pipeline_.score_samples(features.flatten(0, 2)).reshape(features.shape[:3])
        return smooth(nats, self.settings.smoothing).to(images.dtype)

    def places(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b rows columns f"]:
        """The features of every place: those of all layers, each averaged with its neighbours."""
        outputs = outputs_of(self.model, self.settings.layers, images)
        for layer, output in zip(self.settings.layers, outputs, strict=True):
            check_places(self.model, layer, output.ndim == 4)
        maps = [
            F.avg_pool2d(output, NEIGHBOURS, 1, NEIGHBOURS // 2, count_include_pad=False)
            for output in outputs
        ]
        grid = maps[0].shape[-2:]
        resized = [F.interpolate(values, grid, mode="bilinear") for values in maps]
        return torch.cat(resized, 1).permute(0, 2, 3, 1)

    @property
    def threshold(self) -> DensityThreshold:
        """The least log density of an image that is not flagged, and what set it."""
        return self.calibration_.threshold

    def unfamiliar(self, images: Float[Tensor, "b 3 h w"]) -> Bool[Tensor, " b"]:
        """Which images are flagged."""
        return torch.from_numpy(self.threshold.flags(self.scores([images]).numpy()))

    def save(self, path: Path) -> None:
        """Writes all but the network into one ``.safetensors`` file, atomically."""
        header = {
            "settings": asdict(self.settings),
            "seed": self.seed,
            "weights": hash_tensors(self.model.state_dict()),
        }
        write_density(path, "cellxai.places", header, self.pipeline_.fitted_, self.calibration_)

    @classmethod
    def load(cls, path: Path, model: CellClassifier) -> "PlaceDensity":
        """Reads a density that answers as the saved one did.

        Args:
            path: What :meth:`save` wrote.
            model: The classifier that it was fitted with, in evaluation mode.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is damaged, was not written by :meth:`save`, or belongs to another
                network.
        """

        def unfitted(header: Mapping[str, Any]) -> PlaceDensity:
            weights = hash_tensors(model.state_dict())
            if header["weights"] != weights:
                raise ValueError(
                    f"it belongs to weights with SHA-256 {header['weights']!s:.12}…, and this "
                    f"network has {weights:.12}…"
                )
            settings = dict(header["settings"])
            pipeline = PipelineSettings(**settings.pop("pipeline"))
            return cls(model, PlaceSettings(pipeline=pipeline, **settings), int(header["seed"]))

        density, fitted, calibration = read_density(path, "cellxai.places", unfitted)
        density.pipeline_ = DensityPipeline(density.settings.pipeline, density.seed)
        density.pipeline_.fitted_, density.calibration_ = fitted, calibration
        return density

    def _calibrate(self, scores: Float[Tensor, " n"], n_folds: int) -> "PlaceDensity":
        percent = self.settings.pipeline.percent
        self.calibration_ = Calibration(scores, None, percent, n_folds).check_threshold()
        return self


def check_places(model: CellClassifier, layer: str, has_places: bool) -> None:
    """Refuses a layer whose output has no rows and columns.

    Raises:
        ValueError: If it has none; the message names a layer that has them.
    """
    if not has_places:
        raise ValueError(
            f"layer={layer!r} has no places; name an earlier one, such as {spatial_example(model)}"
        )


def sample_places(
    features: Float[Tensor, "b rows columns f"], n_per_image: int, generator: torch.Generator
) -> Float[Tensor, "m f"]:
    """Samples places of each image at random, without replacement."""
    flat = features.flatten(1, 2).cpu()
    chosen = [torch.randperm(flat.shape[1], generator=generator)[:n_per_image] for _ in flat]
    return torch.cat([image[indices] for image, indices in zip(flat, chosen, strict=True)])


def mean_of_lowest(nats: Float[Tensor, "b rows columns"], share: float) -> Float[Tensor, " b"]:
    """Mean over the lowest share of the places of each image, at least one place."""
    flat = nats.flatten(1)
    n_lowest = max(1, round(share * flat.shape[1]))
    return flat.topk(n_lowest, largest=False).values.mean(1)


def smooth(nats: Float[Tensor, "b rows columns"], sigma: float) -> Float[Tensor, "b rows columns"]:
    """Convolves a map with a Gaussian of ``sigma`` places; the border is mirrored."""
    if sigma == 0:
        return nats
    reach = min(max(1, round(BLUR_RADIUS_SIGMAS * sigma)), min(nats.shape[1:]) - 1)
    return gaussian_blur(nats, [2 * reach + 1, 2 * reach + 1], [sigma, sigma])
