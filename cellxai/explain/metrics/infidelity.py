"""Infidelity: by how much the summed evidence of what is hidden misses the effect of hiding it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.baselines import Baseline
from cellxai.explain.metrics.base import Metric, Truth
from cellxai.explain.metrics.faithfulness import filled
from cellxai.explain.metrics.probing import (
    Granularity,
    part_evidence,
    parts_of,
    random_subsets,
    subset_effects,
    subset_evidence,
)


class Infidelity(Metric):
    """Mean squared error of the evidence of random subsets as a forecast of their effect.

    Definition 2.1 of the paper, E[(Iᵀφ − Δf)²], in squared units of the score. The perturbation I
    turns parts to the baseline and counts as 1 where it does, since maps here are evidence and no
    gradients (in Captum: ``multiply_by_inputs=True``). With the defaults, it asks the model what
    :class:`cellxai.explain.metrics.faithfulness_correlation.FaithfulnessCorrelation` asks.

    Args:
        normalise: Scale each map by the factor that fits best, Σ Iᵀφ Δf / Σ (Iᵀφ)², so that methods
            of any unit can be compared; a map without evidence in any subset then scores as one of
            zeros would, the mean squared effect.
        share: Of the parts that each subset hides.
        n_subsets: How many subsets.
        granularity: Whether parts are ``superpixels`` or ``pixels``.
        baseline: What hidden parts show; null for that of the explainers.
        seed: Of the subsets.
    """

    name = "infidelity"
    family = "faithfulness"
    direction = "lower"
    range = (0.0, torch.inf)
    paper = "Yeh et al. 2019, arXiv:1901.09392"

    def __init__(
        self,
        normalise: bool = True,
        share: float = 0.5,
        n_subsets: int = 100,
        granularity: Granularity = "superpixels",
        baseline: Baseline | None = None,
        seed: int = 0,
    ) -> None:
        if not 0 < share < 1:
            raise ValueError(f"share={share}: expected a share of the parts between 0 and 1")
        self.normalise = normalise
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
        return infidelity(evidence, effects, self.normalise).to(images)


def infidelity(
    evidence: Float[Tensor, "b n"], effects: Float[Tensor, "b n"], normalise: bool
) -> Float[Tensor, " b"]:
    """Mean over n perturbations of (β evidence − effect)², with the best β or with 1."""
    if normalise:
        fit = (evidence * effects).mean(1) / evidence.square().mean(1)
        evidence = fit.nan_to_num(0)[:, None] * evidence
    return (evidence - effects).square().mean(1)
