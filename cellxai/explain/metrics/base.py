"""What a measure of explanations is, and what all of them do with maps that say nothing.

- :class:`Metric` judges a map;
- :class:`ExplainerMetric` judges an explainer, which it asks again under changed conditions;
- :class:`AgainstTruth` is what either of them also is where it needs something known beforehand;
- :class:`Similarity` compares two maps: of two methods, two seeds, or two models.

A metric of your own is one class in a file of your own: derive from one of the first two, state the
class attributes, implement ``measure``.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.explain.base import Attribution, Case, Context, Explainer, Model, Truth
from cellxai.explain.score import Scored

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


class Metric(Criterion, ABC):
    """One number per image that says how good its attribution is. Subclasses are final.

    Arguments of ``__init__`` are kept as attributes of the same name: results are stored with them.
    Randomness is drawn from the image and a seed of the metric's own, never from
    ``case.context.seed``, so that all methods are asked the same questions.
    """

    @abstractmethod
    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """The scores; those of degenerate maps are replaced by NaN afterwards.

        Args:
            case: The model, the b images [b c h w], the target of each, and what is known of them.
            attribution: What is judged: maps [b h w].
        """

    def score(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """:meth:`measure`, with NaN where the map is degenerate: counted later, never dropped."""
        degenerate = is_degenerate(attribution.values)
        if degenerate.all():  # nothing to learn from the forward passes
            return attribution.values.new_full(degenerate.shape, torch.nan)
        return self.measure(case, attribution).masked_fill(degenerate, torch.nan)


class ExplainerMetric(Criterion, ABC):
    """One number per image that says how far an explainer can be relied on. Subclasses are final.

    It explains again what was explained already, with one thing changed: another seed, noise on the
    image, other superpixels, another model. Write one of your own like a :class:`Metric`.
    """

    @abstractmethod
    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """The scores; those of degenerate maps are replaced by NaN afterwards.

        Args:
            explainer: What is judged; ``case.ask(explainer)`` asks it again.
            case: The model, the b images [b c h w], the target of each, and what is known of them.
            attribution: What the explainer answered on the case already: maps [b h w].
        """

    def score(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """:meth:`measure`, with NaN where the first map is degenerate, as in a :class:`Metric`."""
        degenerate = is_degenerate(attribution.values)
        if degenerate.all():
            return attribution.values.new_full(degenerate.shape, torch.nan)
        return self.measure(explainer, case, attribution).masked_fill(degenerate, torch.nan)


class AgainstTruth(ABC):
    """What a metric is as well if its score needs something that is known of the images.

    ``class Overlap(Metric, AgainstTruth)`` is then left out where nothing is known, and its table
    says what chance alone would score.
    """

    @abstractmethod
    def applies_to(self, truth: Truth) -> bool:
        """Whether what is known of the images suffices; otherwise the score counts as missing."""

    @abstractmethod
    def chance(self, truth: Truth) -> Float[Tensor, " b"] | None:
        """Expected score of a map that knows nothing; None where theory has no answer."""


class InRegion(AgainstTruth):
    """A metric that needs a region with at least one pixel in every image.

    Attributes:
        region: Which of the known regions: ``cells``, ``cause`` or ``cue``.
    """

    region: str

    def applies_to(self, truth: Truth) -> bool:
        """Whether the region is known and not empty in every image."""
        return self.region in truth and bool(truth[self.region].flatten(1).any(1).all())


def applies(criterion: Criterion, truth: Truth) -> bool:
    """Whether a metric can judge images of which this is known."""
    return criterion.applies_to(truth) if isinstance(criterion, AgainstTruth) else True


def chance_level(criterion: Criterion, truth: Truth) -> Float[Tensor, " b"] | None:
    """Expected score of a map that knows nothing; None where theory has no answer."""
    return criterion.chance(truth) if isinstance(criterion, AgainstTruth) else None


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
