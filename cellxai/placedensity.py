"""Where in an image is something that the classifier has never seen: a density of every place.

A pooled feature says little of a small object: it is an average over the whole image. Here a
mixture is fitted to the features of single places in early layers, as PaDiM (Defard et al. 2021,
arXiv:2011.08785) and PatchCore (Roth et al. 2022, arXiv:2106.08265) compare patches; but one
mixture serves all places, since cells lie anywhere. An image is as well known as its least known
places. All of it is differentiable, so that explainers of classifiers explain it.
"""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.functional import gaussian_blur

from cellxai.classifier.module import CellClassifier
from cellxai.density.pipeline import DensityPipeline
from cellxai.density.settings import PipelineSettings
from cellxai.density.thresholds import unbiased_threshold
from cellxai.explain.base import Attribution, Context, Explainer, Model, unsupported
from cellxai.explain.score import Around
from cellxai.layers import check_layer, outputs_of
from gmm.anomaly import DensityThreshold

PLACES = PipelineSettings(
    standardise=True, projection=0.99, n_components=(1,), covariance_types=("full",), n_init=1
)
NEIGHBOURS = 3  # places a side that a feature is averaged over first, as in PaDiM's successors
BLUR_RADIUS_SIGMAS = 3  # beyond, a Gaussian has 0.3 % of its mass


class PlaceDensity(Around):
    """Images to the log density of their least known places, in nats; a model of one score.

    A negative attribution of a pixel says that it makes the image unusual. Of the pipeline only the
    density is used; the threshold is of images, not of places.

    Args:
        model: The classifier, in evaluation mode.
        layers: Dotted names of convolutional layers; the first sets the grid of places.
        settings: Of the density of places.
        smoothing: Standard deviation of the Gaussian over the map of densities, in places; 0 for
            none.
        share: Of the places, the least known ones, whose mean density is that of the image.
        n_places: Drawn from the images of the fit.
        percent: Share of known images to flag, in percent.
        seed: Of the draw and of the mixture's starts.

    Attributes:
        pipeline_: The density of places, learned by ``fit``.
        threshold_: Of images, set by ``calibrate``.

    Raises:
        ValueError: If there is no such layer, or a share is outside its range.
    """

    model: CellClassifier
    pipeline_: DensityPipeline
    threshold_: DensityThreshold

    def __init__(
        self,
        model: CellClassifier,
        layers: Sequence[str],
        settings: PipelineSettings = PLACES,
        smoothing: float = 2.0,
        share: float = 0.01,
        n_places: int = 20000,
        percent: float = 4.0,
        seed: int = 0,
    ) -> None:
        super().__init__(model)
        for layer in layers:
            check_layer(model, layer)
        if not layers or not 0 < share <= 1 or smoothing < 0:
            raise ValueError(
                f"layers={list(layers)}, share={share}, smoothing={smoothing}: expected a layer at "
                "least, a share above 0 up to 1, and a smoothing from 0"
            )
        self.layers = tuple(layers)
        self.settings = settings
        self.smoothing = smoothing
        self.share = share
        self.n_places = n_places
        self.percent = percent
        self.seed = seed

    def fit(self, batches: Iterable[Float[Tensor, "_ 3 h w"]], n_images: int) -> "PlaceDensity":
        """Learns the density of the places of known images.

        Args:
            batches: The images.
            n_images: How many there are: as many places are drawn of each.
        """
        generator = torch.Generator().manual_seed(self.seed)
        each = max(1, self.n_places // n_images)
        with torch.no_grad():
            drawn = [drawn_places(self.places(one), each, generator) for one in batches]
        self.pipeline_ = DensityPipeline(self.settings, self.seed).fit(torch.cat(drawn).double())
        return self

    def calibrate(self, batches: Iterable[Float[Tensor, "_ 3 h w"]]) -> "PlaceDensity":
        """Sets the threshold by known images that were not fitted to."""
        with torch.no_grad():
            scores = torch.cat([self(images)[:, 0].cpu() for images in batches])
        self.threshold_ = unbiased_threshold(scores.double().numpy(), self.percent)
        return self

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1"]:
        """Mean log density of the least known places."""
        return lowest(self.log_density_map(images), self.share)[:, None]

    def log_density_map(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b rows columns"]:
        """Log density of every place, smoothed."""
        features = self.places(images)
        nats = self.pipeline_.score_samples(features.flatten(0, 2)).reshape(features.shape[:3])
        return smoothed(nats, self.smoothing).to(images.dtype)

    def places(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b rows columns f"]:
        """The features of every place: those of all layers, each averaged with its neighbours."""
        maps = [
            F.avg_pool2d(one, NEIGHBOURS, 1, NEIGHBOURS // 2, count_include_pad=False)
            for one in outputs_of(self.model, self.layers, images)
        ]
        grid = maps[0].shape[-2:]
        resized = [F.interpolate(one, grid, mode="bilinear") for one in maps]
        return torch.cat(resized, 1).permute(0, 2, 3, 1)

    @torch.no_grad()
    def unfamiliar(self, images: Float[Tensor, "b 3 h w"]) -> Bool[Tensor, " b"]:
        """Which images are flagged."""
        return self(images)[:, 0] < self.threshold_.threshold_nats


def drawn_places(
    features: Float[Tensor, "b rows columns f"], each: int, generator: torch.Generator
) -> Float[Tensor, "m f"]:
    """Some places of each image, without one twice, chosen at random."""
    flat = features.flatten(1, 2).cpu()
    chosen = [torch.randperm(flat.shape[1], generator=generator)[:each] for _ in flat]
    return torch.cat([image[places] for image, places in zip(flat, chosen, strict=True)])


def lowest(nats: Float[Tensor, "b rows columns"], share: float) -> Float[Tensor, " b"]:
    """Mean of the lowest share of the places of each image, one at least."""
    flat = nats.flatten(1)
    n_lowest = max(1, round(share * flat.shape[1]))
    return flat.topk(n_lowest, largest=False).values.mean(1)


def smoothed(
    nats: Float[Tensor, "b rows columns"], sigma: float
) -> Float[Tensor, "b rows columns"]:
    """A map under a Gaussian; the border is mirrored."""
    if sigma == 0:
        return nats
    reach = min(max(1, round(BLUR_RADIUS_SIGMAS * sigma)), min(nats.shape[1:]) - 1)
    return gaussian_blur(nats, [2 * reach + 1, 2 * reach + 1], [sigma, sigma])


class PlaceMap(Explainer):
    """The map of log densities itself, of a :class:`PlaceDensity`: no other model has one.

    Upsampled bilinearly, in nats above the mean of the image: negative where a place is less known.
    """

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        if not isinstance(model, PlaceDensity):
            return unsupported(images, "only a PlaceDensity has a density of every place")
        with torch.no_grad():
            nats = model.log_density_map(images)
        wide = F.interpolate(nats[:, None], images.shape[-2:], mode="bilinear")[:, 0]
        return Attribution(wide - wide.mean((1, 2), keepdim=True))
