"""The one interface of a metric, and what all metrics do with maps that say nothing."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model

Truth = Mapping[str, Bool[Tensor, "b h w"]]
"""Regions known beforehand by name: ``cells`` (where they are), ``cause`` (what made the label)."""

Direction = Literal["higher", "lower"]


class Metric(ABC):
    """One number per image that says how good its attribution is.

    Subclass it in a file of your own: implement :meth:`measure` and state the class attributes.
    Arguments of ``__init__`` are kept as attributes of the same name: results are stored with them.

    Attributes:
        name: What a table calls it.
        direction: Whether a ``higher`` or a ``lower`` score is the better one.
        range: Smallest and largest possible score.
        paper: Where it is defined.
    """

    name: ClassVar[str]
    direction: ClassVar[Direction]
    range: ClassVar[tuple[float, float]]
    paper: ClassVar[str]

    @abstractmethod
    def measure(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        attribution: Attribution,
        context: Context,
        truth: Truth,
    ) -> Float[Tensor, " b"]:
        """The scores; those of degenerate maps are replaced by NaN afterwards.

        Args:
            model: Images in [0, 1] to logits, in evaluation mode.
            images: The explained images.
            targets: The explained class, one per image.
            attribution: What is judged.
            context: Superpixels, baseline, seed and budget that the explainer was given.
            truth: Regions known beforehand; empty where nothing is known.
        """

    def score(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        attribution: Attribution,
        context: Context,
        truth: Truth,
    ) -> Float[Tensor, " b"]:
        """:meth:`measure`, with NaN where the map is degenerate: counted later, never dropped."""
        degenerate = is_degenerate(attribution.values)
        if degenerate.all():  # nothing to learn from the forward passes
            return attribution.values.new_full(degenerate.shape, torch.nan)
        scores = self.measure(model, images, targets, attribution, context, truth)
        return scores.masked_fill(degenerate, torch.nan)

    def chance(self, truth: Truth) -> Float[Tensor, " b"] | None:
        """Expected score of a map that knows nothing, where it is known by theory."""
        return None

    def applies_to(self, truth: Truth) -> bool:
        """Whether what is known of the images suffices; otherwise the score counts as missing."""
        return True


def is_degenerate(values: Float[Tensor, "b h w"]) -> Bool[Tensor, " b"]:
    """Maps that rank nothing: the same value everywhere, or any NaN or infinity."""
    pixels = values.flatten(1)
    return (pixels == pixels[:, :1]).all(1) | ~pixels.isfinite().all(1)
