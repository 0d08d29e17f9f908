"""Faithfulness by correlation: does the evidence of a part tell what hiding the part does?

Effects are falls of the target's score (a logit, unless the model is wrapped) when parts are hidden
by the baseline. Correlations are scale-free, so that a saliency and a coefficient can be compared.
What knows nothing has 0 on average. A map whose parts are all alike scores NaN, and so does an
image whose score never changes.
"""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.baselines import Baseline
from cellxai.explain.metrics.base import Metric, Truth
from cellxai.explain.metrics.correlation import pearson, spearman
from cellxai.explain.metrics.faithfulness import filled
from cellxai.explain.metrics.probing import (
    Granularity,
    absent,
    each_alone,
    part_evidence,
    parts_of,
    random_subsets,
    subset_effects,
    subset_evidence,
)


class _Correlation(Metric):
    family = "faithfulness"
    direction = "higher"
    range = (-1.0, 1.0)


class FaithfulnessCorrelation(_Correlation):
    """Pearson correlation over random subsets: their summed evidence with their effect.

    Equation 4 of the paper. Subsets are drawn once per image: every method is asked the same.

    Args:
        share: Of the parts that each subset hides.
        n_subsets: How many subsets.
        granularity: Whether parts are ``superpixels`` or ``pixels``.
        baseline: What hidden parts show; null for that of the explainers.
        seed: Of the subsets.
    """

    name = "faithfulness correlation"
    paper = "Bhatt et al. 2020, arXiv:2005.00631"

    def __init__(
        self,
        share: float = 0.5,
        n_subsets: int = 100,
        granularity: Granularity = "superpixels",
        baseline: Baseline | None = None,
        seed: int = 0,
    ) -> None:
        if not 0 < share < 1:
            raise ValueError(f"share={share}: expected a share of the parts between 0 and 1")
        self.share = share
        self.n_subsets = n_subsets
        self.granularity: Granularity = granularity
        self.baseline = baseline
        self.seed = seed

    def measure(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        attribution: Attribution,
        context: Context,
        truth: Truth,
    ) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        labels = parts_of(context, self.granularity)
        hidden = random_subsets(images, labels, self.share, self.n_subsets, self.seed)
        fill = filled(self.baseline, images, context)
        effects = subset_effects(model, images, fill, targets, labels, hidden, context.batch_size)
        evidence = subset_evidence(part_evidence(attribution, labels), hidden)
        return pearson(evidence, effects).to(images)


class SensitivityN(_Correlation):
    """Mean over subset sizes n of what :class:`FaithfulnessCorrelation` is for one.

    A method has sensitivity-n where that correlation is 1; the paper draws it over n, here is the
    mean of the curve. Quantus 0.6 hides the n most relevant parts instead of random ones, which is
    another question.

    Args:
        shares: The sizes n, as shares of the parts.
        n_subsets: Subsets per size.
        granularity: Whether parts are ``superpixels`` or ``pixels``.
        baseline: What hidden parts show; null for that of the explainers.
        seed: Of the subsets.
    """

    name = "sensitivity-n"
    paper = "Ancona et al. 2018, arXiv:1711.06104"

    def __init__(
        self,
        shares: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7),
        n_subsets: int = 50,
        granularity: Granularity = "superpixels",
        baseline: Baseline | None = None,
        seed: int = 0,
    ) -> None:
        self.shares = shares
        self.n_subsets = n_subsets
        self.granularity: Granularity = granularity
        self.baseline = baseline
        self.seed = seed

    def measure(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        attribution: Attribution,
        context: Context,
        truth: Truth,
    ) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        others = self.n_subsets, self.granularity, self.baseline, self.seed
        sizes = [FaithfulnessCorrelation(share, *others) for share in self.shares]
        about = model, images, targets, attribution, context, truth
        return torch.stack([one.measure(*about) for one in sizes]).mean(0)


class _EachAlone(_Correlation):
    def __init__(self, baseline: Baseline | None = None) -> None:
        self.baseline = baseline

    @abstractmethod
    def correlated(
        self, evidence: Float[Tensor, "b s"], effects: Float[Tensor, "b s"]
    ) -> Float[Tensor, " b"]:
        """How the evidence of each superpixel goes with its effect."""

    def measure(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        attribution: Attribution,
        context: Context,
        truth: Truth,
    ) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        fill = filled(self.baseline, images, context)
        effects = single_part_effects(model, images, fill, targets, context)
        evidence = part_evidence(attribution, context.superpixels)
        return self.correlated(evidence, effects).to(images)


class FaithfulnessEstimate(_EachAlone):
    """Pearson correlation over the superpixels: the evidence of each with its effect alone.

    Args:
        baseline: What hidden superpixels show; null for that of the explainers.
    """

    name = "faithfulness estimate"
    paper = "Alvarez-Melis and Jaakkola 2018, arXiv:1806.07538"

    def correlated(
        self, evidence: Float[Tensor, "b s"], effects: Float[Tensor, "b s"]
    ) -> Float[Tensor, " b"]:
        """Pearson's."""
        return pearson(evidence, effects)


class SinglePartEffect(_EachAlone):
    """Rank correlation over the superpixels: the evidence of each with its effect alone.

    It asks what :class:`FaithfulnessEstimate` asks, and one strong superpixel does not decide it.

    Args:
        baseline: What hidden superpixels show; null for that of the explainers.
    """

    name = "single-part effect"
    paper = "Hesse et al. 2023, arXiv:2308.06248 (single deletion)"

    def correlated(
        self, evidence: Float[Tensor, "b s"], effects: Float[Tensor, "b s"]
    ) -> Float[Tensor, " b"]:
        """Spearman's."""
        return spearman(evidence, effects)


def single_part_effects(
    model: Model,
    images: Float[Tensor, "b c h w"],
    fill: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    context: Context,
) -> Float[Tensor, "b s"]:
    """Fall of the target's score without each superpixel; NaN where an image has fewer."""
    labels = context.superpixels
    effects = subset_effects(
        model, images, fill, targets, labels, each_alone(labels), context.batch_size
    )
    return effects.masked_fill(absent(labels), torch.nan)
