"""Superpixels and baseline made when a method first asks for them: gradients never do."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Context
from cellxai.explain.baselines import Baseline
from cellxai.explain.memory import most_images
from cellxai.explain.superpixels.base import Superpixels, renumber

Later = Tensor | Callable[[], Tensor]


class LazyContext(Context):
    """A context whose tensors are made at their first use, and then kept.

    Args:
        superpixels: Labels, or what makes them.
        baseline: What replaces hidden pixels, or what makes it.
        seed: See :class:`Context`.
        batch_size: See :class:`Context`.
    """

    def __init__(
        self, superpixels: Later, baseline: Later, seed: int = 0, batch_size: int = 32
    ) -> None:
        later = {"superpixels": superpixels, "baseline": baseline}
        own: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "_later": later}
        for name, value in own.items():
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """Called where an attribute is not there yet."""
        later = self.__dict__.get("_later", {})
        if name not in later:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        # Gradients have to reach them, also where the caller is in inference mode.
        with torch.inference_mode(False), torch.no_grad():
            made = later[name]() if callable(later[name]) else later[name]
        tensor = renumber(made) if name == "superpixels" else made
        object.__setattr__(self, name, tensor)
        return tensor

    def with_seed(self, seed: int) -> "LazyContext":
        """The same for another seed; what is made for one serves the other."""
        return LazyContext(lambda: self.superpixels, lambda: self.baseline, seed, self.batch_size)

    def of_image(self, place: int) -> "LazyContext":
        """What it is for one image of the batch."""
        rows = slice(place, place + 1)
        return LazyContext(
            lambda: self.superpixels[rows], lambda: self.baseline[rows], self.seed, self.batch_size
        )


def lazy_context_of(
    images: Float[Tensor, "b c h w"],
    superpixels: Superpixels,
    baseline: Baseline,
    batch_size: int,
) -> LazyContext:
    """What :func:`cellxai.explain.base.context_of` makes at once, for the seed 0."""
    b, _, h, w = images.shape

    def fill() -> Float[Tensor, "b c h w"]:
        if baseline.uses_superpixels:
            return baseline.fill(images, context.superpixels)
        return baseline.fill(images, images.new_zeros((1, 1, 1), dtype=torch.int64).expand(b, h, w))

    def segment() -> Int[Tensor, "b h w"]:
        return superpixels.segment(images)

    context = LazyContext(segment, fill, 0, min(batch_size, most_images(images)))
    return context
