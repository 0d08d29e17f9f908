"""The density of places of a run: read back, as a score to explain, and as a map of its own."""

from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from cellxai.density.places import PLACES_FILE, PlaceDensity
from cellxai.explain.base import Attribution, Context, Explainer, Model, unsupported_attribution
from cellxai.explain.score import Score, Scored
from cellxai.trained.run import TrainedRun


def places_file(trained: TrainedRun) -> Path:
    """Where the density of places of a run is stored, if there is one."""
    return trained.folder.density / PLACES_FILE


def read_place_density(trained: TrainedRun) -> PlaceDensity:
    """Reads the density that `cellxai density` fitted to single places of a run's images.

    Raises:
        FileNotFoundError: If the run has none.
        ValueError: If the file is damaged, or of other weights than the run's.
    """
    path = places_file(trained)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.parent} holds no density of places; run `cellxai density --run "
            f"{trained.folder.root} --config configs/density/places.yaml`"
        )
    return PlaceDensity.load(path, trained.classifier)


class LeastKnownPlaces(Score):
    """The output of a :class:`PlaceDensity` unchanged, in nats; the only target is 0.

    Args:
        content: What distinguishes the density from others, such as a hash of its file; results
            are stored with it.
    """

    name = "log-density of the least known places"
    units = "nats"
    of_one_model = True

    def __init__(self, content: str) -> None:
        self.content = content

    def scores(self, outputs: Float[Tensor, "b 1"]) -> Float[Tensor, "b 1"]:
        """See :meth:`Score.scores`."""
        return outputs


class PlaceMap(Explainer):
    """The map of log densities of a :class:`PlaceDensity`; no other model has one.

    Upsampled bilinearly, in nats above the mean of the image: negative at less familiar places.
    """

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        density = model.model if isinstance(model, Scored) else model
        if not isinstance(density, PlaceDensity):
            return unsupported_attribution(
                images, "only a PlaceDensity has a density of every place"
            )
        with torch.no_grad():
            nats = density.log_density_map(images)
        wide = F.interpolate(nats[:, None], images.shape[-2:], mode="bilinear")[:, 0]
        return Attribution(wide - wide.mean((1, 2), keepdim=True))
