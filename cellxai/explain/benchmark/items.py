"""What is explained: an image, and what is known of it before anyone explains it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from cellxai.explain.base import Case, Model, context_of
from cellxai.explain.baselines import Baseline
from cellxai.explain.metrics.probing import Remembering
from cellxai.explain.precision import Precision
from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.superpixels.instances import known_instances
from cellxai.files.identity import hash_tensors, shorten

ImageTruth = Mapping[str, Shaped[Tensor, "..."]]
"""What :data:`cellxai.explain.base.Truth` is of a batch, of one image."""


@dataclass(frozen=True)
class Item:
    """One image to explain.

    Args:
        id: Unique in the benchmark.
        image: In [0, 1], on the device of the model.
        target: The class to explain; None for the one that the model predicts.
        truth: What is known beforehand, by name; or a function that finds it out, given the
            explained class. The function is called when the image is explained, and not when all of
            its results are there already.
    """

    id: str
    image: Float[Tensor, "c h w"]
    target: int | None = None
    truth: ImageTruth | Callable[[int], ImageTruth] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Identity of image and target: whether results of this id are still its own.

        A target of None follows from the image and the model, which is remembered as well.
        """
        tensors = {"image": self.image}
        if self.target is not None:
            tensors["target"] = torch.tensor(self.target)
        return shorten(hash_tensors(tensors))


@dataclass(frozen=True)
class ReadyItem:
    """An image made ready: all that explainers and metrics are asked about.

    Args:
        id: Identifier of the image.
        case: The image as a batch of one, with the seed 0.
        remembering: The model of the case for metrics of maps, which ask about the same images
            again and again.
    """

    id: str
    case: Case
    remembering: Remembering

    def with_seed(self, seed: int) -> "ReadyItem":
        """The same for another seed; answers are remembered together."""
        return replace(self, case=self.case.with_seed(seed))

    def with_model(self, model: Model) -> "ReadyItem":
        """The same for another model, which nothing was asked yet."""
        return replace(self, case=self.case.with_model(model), remembering=Remembering(model))


def make_ready(
    item: Item,
    model: Model,
    superpixels: Superpixels,
    baseline: Baseline,
    batch_size: int,
    precision: Precision = "exact",
) -> ReadyItem:
    """Predicts where no target is given, finds out the truth, segments, and fills the baseline."""
    images = item.image[None]
    target = predicted_class(model, images) if item.target is None else item.target
    known = item.truth(target) if callable(item.truth) else item.truth
    context = context_of(
        images, superpixels, baseline, 0, batch_size, known_instances(known), precision
    )
    targets = torch.tensor([target], device=images.device)
    truth = {name: values[None] for name, values in known.items()}
    return ReadyItem(item.id, Case(model, images, targets, context, truth), Remembering(model))


@torch.no_grad()
def predicted_class(model: Model, images: Float[Tensor, "1 c h w"]) -> int:
    """The class of the highest score."""
    return int(model(images).argmax())
