"""What a measure of explanations is, and what all of them do with maps that say nothing.

- :class:`Metric` judges a map;
- :class:`ExplainerMetric` judges an explainer, which it asks again under changed conditions;
- :class:`Similarity` compares two maps: of two methods, two seeds, or two models.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.score import Scored

Truth = Mapping[str, Shaped[Tensor, "b ..."]]
"""What is known of the images beforehand, by name.

Regions are boolean [b h w]: ``cells`` (where they are), ``cause`` (what made the label), ``cue`` (a
planted shortcut). ``parts`` are boolean [b p h w]: what can be taken out of each scene; ``effects``
[b p] is by how much the score truly falls without each, NaN where an image has fewer than p.
"""

Direction = Literal["higher", "lower"]


class Criterion:
    """What metrics of maps and of explainers tell a table about themselves.

    Attributes:
        name: What a table calls it.
        family: Metrics of one family are ranked together.
        direction: Whether a ``higher`` or a ``lower`` score is the better one.
        range: Smallest and largest possible score, where logits are explained.
        paper: Where it is defined.
    """

    name: ClassVar[str]
    family: ClassVar[str] = "other"
    direction: ClassVar[Direction]
    range: ClassVar[tuple[float, float]]
    paper: ClassVar[str]

    def chance(self, truth: Truth) -> Float[Tensor, " b"] | None:
        """Expected score of a map that knows nothing, where it is known by theory."""
        return None

    def applies_to(self, truth: Truth) -> bool:
        """Whether what is known of the images suffices; otherwise the score counts as missing."""
        return True


class Metric(Criterion, ABC):
    """One number per image that says how good its attribution is.

    Subclass it in a file of your own: implement :meth:`measure` and state the class attributes.
    Arguments of ``__init__`` are kept as attributes of the same name: results are stored with them.
    Randomness is drawn from the image and a seed of the metric's own, never from ``context.seed``,
    so that all methods are asked the same questions.
    """

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
            model: Images in [0, 1] to scores, in evaluation mode.
            images: The explained images.
            targets: The explained class, one per image.
            attribution: What is judged.
            context: Superpixels, baseline, seed and budget that the explainer was given.
            truth: What is known beforehand; empty where nothing is known.
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


class ExplainerMetric(Criterion, ABC):
    """One number per image that says how far an explainer can be relied on.

    It explains again what was explained already, with one thing changed: another seed, noise on the
    image, other superpixels, another model. Subclass it like :class:`Metric`.
    """

    @abstractmethod
    def measure(
        self,
        explainer: Explainer,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        attribution: Attribution,
        context: Context,
        truth: Truth,
    ) -> Float[Tensor, " b"]:
        """The scores; those of degenerate maps are replaced by NaN afterwards.

        Args:
            explainer: What is judged.
            model: Images in [0, 1] to scores, in evaluation mode; a module, never changed.
            images: The explained images.
            targets: The explained class, one per image.
            attribution: What the explainer answered already, under ``context``.
            context: Superpixels, baseline, seed and budget that it was given.
            truth: What is known beforehand; empty where nothing is known.
        """

    def score(
        self,
        explainer: Explainer,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        attribution: Attribution,
        context: Context,
        truth: Truth,
    ) -> Float[Tensor, " b"]:
        """:meth:`measure`, with NaN where the first map is degenerate, as in a :class:`Metric`."""
        degenerate = is_degenerate(attribution.values)
        if degenerate.all():
            return attribution.values.new_full(degenerate.shape, torch.nan)
        scores = self.measure(explainer, model, images, targets, attribution, context, truth)
        return scores.masked_fill(degenerate, torch.nan)


class Similarity(ABC):
    """How alike two attributions of the same images are; 1 for equal ones. Symmetric.

    Attributes:
        name: What a table calls it.
        range: Smallest and largest possible value.
        paper: Where it is defined.
    """

    name: ClassVar[str]
    range: ClassVar[tuple[float, float]]
    paper: ClassVar[str]

    @abstractmethod
    def compare(
        self, first: Attribution, second: Attribution, context: Context
    ) -> Float[Tensor, " b"]:
        """One number per image; use :meth:`between`, which knows degenerate maps.

        Args:
            first: One attribution.
            second: Another of the same images.
            context: Holds the superpixels that overlaps are counted in.
        """

    def between(
        self, first: Attribution, second: Attribution, context: Context
    ) -> Float[Tensor, " b"]:
        """:meth:`compare`, with NaN where either map is degenerate."""
        degenerate = is_degenerate(first.values) | is_degenerate(second.values)
        return self.compare(first, second, context).masked_fill(degenerate, torch.nan)


class ModelSource(ABC):
    """Where a second model comes from, such as one trained on random labels. Name it by class."""

    @abstractmethod
    def load(self, device: torch.device) -> Model:
        """The model in evaluation mode, on a device; it answers for the same classes."""

    def beside(self, model: Model, device: torch.device) -> Model:
        """The second model with the score that is explained of the first.

        Raises:
            ValueError: If that score is of the first model alone, as a log-density is.
        """
        if not isinstance(model, Scored):
            return self.load(device)
        if model.score.of_one_model:
            raise ValueError(
                f"a {model.score.name or type(model.score).__name__} is of one model's features, "
                "and says nothing of another model; leave this metric out"
            )
        return Scored(self.load(device), model.score)


class Density(ABC):
    """How familiar images are to a model that was fitted to the training images."""

    @abstractmethod
    def log_density(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """In nats; only differences are used."""


def is_degenerate(values: Float[Tensor, "b h w"]) -> Bool[Tensor, " b"]:
    """Maps that rank nothing: the same value everywhere, or any NaN or infinity."""
    pixels = values.flatten(1)
    return (pixels == pixels[:, :1]).all(1) | ~pixels.isfinite().all(1)
