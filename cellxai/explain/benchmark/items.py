"""What is explained: an image, and what is known of it before anyone explains it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from cellxai.explain.base import Context, Model, context_of
from cellxai.explain.baselines import Baseline
from cellxai.explain.metrics.base import Truth
from cellxai.explain.metrics.probing import Remembering
from cellxai.explain.provenance import fingerprint
from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.superpixels.instances import known_instances

Known = Mapping[str, Shaped[Tensor, "..."]]
"""Of one image, what :data:`cellxai.explain.metrics.base.Truth` is of a batch."""


@dataclass(frozen=True)
class Item:
    """One image to explain.

    Args:
        id: Unique in the benchmark.
        image: In [0, 1], on the device of the model.
        target: The class to explain; None for the one that the model predicts.
        truth: What is known beforehand, by name; or what finds it out, given the explained class.
            The latter is asked when the image is explained, and not when all of it is done.
    """

    id: str
    image: Float[Tensor, "c h w"]
    target: int | None = None
    truth: Known | Callable[[int], Known] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Of image and target: whether results of this id are still its own.

        A target of None follows from the image and the model, which is remembered as well.
        """
        known = {} if self.target is None else {"target": torch.tensor(self.target)}
        return fingerprint({"image": self.image} | known)


@dataclass(frozen=True)
class Case:
    """An image made ready: all that explainers and metrics are given.

    Args:
        id: Of the image.
        model: What is explained, in evaluation mode.
        remembering: The same, for metrics, which ask about the same images again and again.
        images: A batch of one.
        targets: The explained class.
        truth: What is known beforehand.
        context: What all explainers share; each replaces the seed.
    """

    id: str
    model: Model
    remembering: Remembering
    images: Float[Tensor, "1 c h w"]
    targets: Shaped[Tensor, " 1"]
    truth: Truth
    context: Context

    def with_seed(self, seed: int) -> Context:
        """The context of one seed."""
        return replace(self.context, seed=seed)


def case_of(
    item: Item, model: Model, superpixels: Superpixels, baseline: Baseline, batch_size: int
) -> Case:
    """Predicts where no target is given, finds out the truth, segments, and fills the baseline."""
    images = item.image[None]
    target = predicted(model, images) if item.target is None else item.target
    known = item.truth(target) if callable(item.truth) else item.truth
    context = context_of(images, superpixels, baseline, 0, batch_size, known_instances(known))
    targets = torch.tensor([target], device=images.device)
    truth = {name: values[None] for name, values in known.items()}
    return Case(item.id, model, Remembering(model), images, targets, truth, context)


@torch.no_grad()
def predicted(model: Model, images: Float[Tensor, "1 c h w"]) -> int:
    """The class of the highest score."""
    return int(model(images).argmax())
