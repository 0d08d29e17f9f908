"""The one interface of an explainer, what it is asked about, and what it answers with."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from cellxai.explain.baselines import Baseline
from cellxai.explain.memory import most_images
from cellxai.explain.precision import Precision, float32_products
from cellxai.explain.status import Status
from cellxai.explain.superpixels.base import Superpixels, renumber

Model = Callable[[Float[Tensor, "b c h w"]], Float[Tensor, "b k"]]
"""Images in [0, 1] to one score per class; a ``torch.nn.Module`` where a method needs its layers.

Scores are logits unless the model comes in :class:`cellxai.explain.score.Scored`: explainers never
ask what a score means, so that each of them explains probabilities and densities too.
"""

Truth = Mapping[str, Shaped[Tensor, "b ..."]]
"""What is known of a batch of images beforehand, by name.

Regions are boolean [b h w]: ``cells`` (where they are), ``cause`` (what made the label), ``cue`` (a
planted shortcut); or [b c h w] where it is known in which plane they lie. ``parts`` are boolean
[b p h w]: what can be taken out of each scene; ``effects`` [b p] is by how much the score truly
falls without each, NaN where an image has fewer than p. ``part_planes`` [b p] is the plane that
each part lies in, −1 for all of them; it may be left out where the image has no planes.
"""


@dataclass(frozen=True)
class Context:
    """What all explainers of one batch share, so that only the method makes a difference.

    Args:
        superpixels: Labels of each image's superpixels; any integers, kept as 0…s−1.
        baseline: What replaces hidden pixels, in the units of the images.
        seed: Makes every random choice repeatable: the same seed gives the same attribution.
        batch_size: Images per forward pass at most.
        precision: With how many digits a CUDA device multiplies float32 numbers.
    """

    superpixels: Int[Tensor, "b h w"]
    baseline: Float[Tensor, "b c h w"]
    seed: int = 0
    batch_size: int = 32
    precision: Precision = "exact"

    def __post_init__(self) -> None:
        # A gap in the labels would be a superpixel without pixels, and its coefficient a fiction.
        object.__setattr__(self, "superpixels", renumber(self.superpixels))


@dataclass(frozen=True)
class Cost:
    """What an attribution took.

    Args:
        forwards: Images through the model.
        backwards: Images whose gradient came back.
        seconds: Until the attribution was on the device.
        peak_bytes: Most memory in use beyond what was held before; None where the system does not
            tell.
        batch_size: Images in the largest forward pass.
        dtype: Type of the first scores, such as ``float32``, or ``bfloat16`` in mixed precision.
    """

    forwards: int = 0
    backwards: int = 0
    seconds: float = 0.0
    peak_bytes: int | None = None
    batch_size: int = 0
    dtype: str = ""


@dataclass(frozen=True)
class Attribution:
    """Signed evidence per pixel for the explained class, in units of the target's score.

    Sensitivity, and controls, say less: see :attr:`Explainer.meaning`.

    Args:
        values: The map; positive speaks for the target.
        superpixel_values: Coefficient of each superpixel, NaN-padded to the largest s, for methods
            that have them.
        surrogate_r2: Weighted R² of the surrogate model, for methods that fit one.
        ranking_stability: Jaccard index to expect between the highest superpixels and those that
            endlessly many samples would give, for methods that stop by it.
        completeness_gap: Sum of the map minus the change of the target's score from baseline to
            image, for methods that promise 0; of LRP, with what constants of the network take.
        plane_values: The map by plane of the image, which sums to ``values`` over the planes; None
            for methods that do not tell planes apart.
        superpixel_plane_values: Coefficient of each superpixel in each plane, padded as
            ``superpixel_values``, their sum over the planes.
        superpixel_covariance: Covariance of ``superpixel_values`` over the draws of samples, padded
            with NaN, for methods that estimate it; see :attr:`standard_errors`.
        relative_error: What ‖values − exact‖ / ‖exact‖ over superpixels does not exceed, with the
            confidence asked for, for methods that estimate it.
        superpixel_pairs: Worth of each pair of superpixels beyond the two alone, in units of the
            score, and of each alone on the diagonal, for methods that give it.
        cost: Filled in by :func:`cellxai.explain.cost.attribute_with_cost`.
        status: ``degraded`` where the method runs but is not what its name says on this model,
            ``unsupported`` where it cannot run at all and the map is NaN.
        reason: Why the status is not ``ok``, or what else has to be known.
    """

    values: Float[Tensor, "b h w"]
    superpixel_values: Float[Tensor, "b s"] | None = None
    surrogate_r2: Float[Tensor, " b"] | None = None
    ranking_stability: Float[Tensor, " b"] | None = None
    completeness_gap: Float[Tensor, " b"] | None = None
    plane_values: Float[Tensor, "b c h w"] | None = None
    superpixel_plane_values: Float[Tensor, "b c s"] | None = None
    superpixel_covariance: Float[Tensor, "b s s"] | None = None
    relative_error: Float[Tensor, " b"] | None = None
    superpixel_pairs: Float[Tensor, "b s s"] | None = None
    cost: Cost = field(default_factory=Cost)
    status: Status = "ok"
    reason: str = ""

    @property
    def standard_errors(self) -> Float[Tensor, "b s"] | None:
        """Of each of ``superpixel_values``, over the draws of samples; None where not estimated."""
        if self.superpixel_covariance is None:
            return None
        return self.superpixel_covariance.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()


class Explainer(ABC):
    """Explains one prediction per image. Subclasses are final: wrap one, never override it.

    Arguments of ``__init__`` are kept as attributes of the same name: results are stored with them.

    Attributes:
        is_control: Whether its maps know nothing of the model. In a benchmark it is not a method,
            but what methods have to beat.
        meaning: What its maps say where it is no evidence for or against the target, as pictures
            put it; empty for signed evidence.
        no_planes: Why its maps never tell planes apart; empty for a method that can.
    """

    is_control: ClassVar[bool] = False
    meaning: ClassVar[str] = ""
    no_planes: str = ""

    @abstractmethod
    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """Signed evidence per pixel for ``targets``; a batch gives what its images give alone.

        Args:
            model: Images in [0, 1] to scores, in evaluation mode.
            images: The images to explain.
            targets: The class, or column of the scores, to explain; one per image.
            context: Superpixels, baseline, seed and budget, shared by all explainers.
        """


@dataclass(frozen=True)
class Case:
    """What is explained, and all that is known of it: explainers and metrics are asked about it.

    Metrics change one thing and ask again: the ``with_…`` methods give a new case, and leave this
    one as it is.

    Args:
        model: Images in [0, 1] to scores, in evaluation mode.
        images: The explained images, in [0, 1].
        targets: The explained class, or column of the scores; one per image.
        context: Superpixels, baseline, seed and budget that explainers are given.
        truth: What is known of the images beforehand; empty where nothing is known.
    """

    model: Model
    images: Float[Tensor, "b c h w"]
    targets: Int[Tensor, " b"]
    context: Context
    truth: Truth = field(default_factory=dict)

    def ask(self, explainer: Explainer) -> Attribution:
        """What an explainer answers on this case."""
        return explainer.attribute(self.model, self.images, self.targets, self.context)

    def with_model(self, model: Model) -> "Case":
        """The same case for another model."""
        return replace(self, model=model)

    def with_images(self, images: Float[Tensor, "b c h w"]) -> "Case":
        """As many other images; superpixels, baseline and truth stay."""
        return replace(self, images=images)

    def with_context(self, context: Context) -> "Case":
        """The same case under other circumstances."""
        return replace(self, context=context)

    def with_seed(self, seed: int) -> "Case":
        """The same case for another seed."""
        return self.with_context(replace(self.context, seed=seed))

    def repeat(self, n: int) -> "Case":
        """Every image n times in a row, with its target, superpixels, baseline and truth."""
        context = replace(
            self.context,
            superpixels=self.context.superpixels.repeat_interleave(n, 0),
            baseline=self.context.baseline.repeat_interleave(n, 0),
        )
        truth = {name: known.repeat_interleave(n, 0) for name, known in self.truth.items()}
        return replace(
            self,
            images=self.images.repeat_interleave(n, 0),
            targets=self.targets.repeat_interleave(n, 0),
            context=context,
            truth=truth,
        )


def context_of(
    images: Float[Tensor, "b c h w"],
    superpixels: Superpixels,
    baseline: Baseline,
    seed: int = 0,
    batch_size: int = 32,
    instances: Int[Tensor, "b h w"] | None = None,
    precision: Precision = "exact",
) -> Context:
    """Segments the images once and fills their baseline: what every explainer is then given.

    Large images come in smaller batches than ``batch_size``, so that a pass fits into memory.
    ``instances`` are known cells, numbered from 1, for superpixels that follow them.
    """
    labels = renumber(superpixels.segment(images, instances))
    with float32_products(precision):  # a blur is a convolution
        filled = baseline.fill(images, labels)
    return Context(labels, filled, seed, min(batch_size, most_images(images)), precision)


def attribution_of_planes(plane_values: Float[Tensor, "b c h w"]) -> Attribution:
    """The attribution of a map by plane: the map itself is its sum over the planes."""
    return Attribution(plane_values.sum(1), plane_values=plane_values)


def unsupported_attribution(images: Float[Tensor, "b c h w"], reason: str) -> Attribution:
    """The answer of a method that cannot explain this model: NaN maps, and why."""
    maps = torch.full_like(images[:, 0], torch.nan)
    return Attribution(maps, status="unsupported", reason=reason)
