"""Infidelity: by how much the summed evidence of what is hidden misses the effect of hiding it."""

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.base import Attribution, Case
from cellxai.explain.baselines import Baseline
from cellxai.explain.metrics.base import Metric
from cellxai.explain.metrics.probing import Granularity, RandomSubsets, check_share


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
        share: Share of the parts that each subset hides.
        n_subsets: How many subsets.
        granularity: Whether parts are ``superpixels`` or ``pixels``.
        baseline: What hidden parts show; null for that of the explainers.
        seed: Seed of the subsets.
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
        check_share(share)
        self.normalise = normalise
        self.share = share
        self.n_subsets = n_subsets
        self.granularity: Granularity = granularity
        self.baseline = baseline
        self.seed = seed

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        subsets = RandomSubsets(
            self.share, self.n_subsets, self.granularity, self.baseline, self.seed
        )
        evidence, effects = subsets.compare(case, attribution)
        return infidelity(evidence, effects, self.normalise).to(case.images)


def infidelity(
    evidence: Float[Tensor, "b n"], effects: Float[Tensor, "b n"], normalise: bool
) -> Float[Tensor, " b"]:
    """Mean over n perturbations of (β evidence − effect)², with the best β or with 1."""
    if normalise:
        fit = (evidence * effects).mean(1) / evidence.square().mean(1)
        evidence = fit.nan_to_num(0)[:, None] * evidence
    return (evidence - effects).square().mean(1)
