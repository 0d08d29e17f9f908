"""Faithfulness by correlation: does the evidence of a part tell what hiding the part does?

Effects are falls of the target's score (a logit, unless the model is wrapped) when parts are hidden
by the baseline. Correlations are scale-free, so that a saliency and a coefficient can be compared.
What knows nothing has 0 on average. A map whose parts are all alike scores NaN, and so does an
image whose score never changes.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.base import Attribution, Case
from cellxai.explain.baselines import Baseline
from cellxai.explain.metrics.base import Metric
from cellxai.explain.metrics.correlation import pearson, spearman
from cellxai.explain.metrics.probing import (
    Granularity,
    RandomSubsets,
    check_share,
    fill_for,
    missing_parts,
    part_evidence,
    single_parts,
    subset_effects,
)


class FaithfulnessCorrelation(Metric):
    """Pearson correlation over random subsets: their summed evidence with their effect.

    Equation 4 of the paper. Subsets are drawn once per image: every method is asked the same.

    Args:
        share: Share of the parts that each subset hides.
        n_subsets: How many subsets.
        granularity: Whether parts are ``superpixels`` or ``pixels``.
        baseline: What hidden parts show; null for that of the explainers.
        seed: Seed of the subsets.
    """

    name = "faithfulness correlation"
    family = "faithfulness"
    direction = "higher"
    range = (-1.0, 1.0)
    paper = "Bhatt et al. 2020, arXiv:2005.00631"

    def __init__(
        self,
        share: float = 0.5,
        n_subsets: int = 100,
        granularity: Granularity = "superpixels",
        baseline: Baseline | None = None,
        seed: int = 0,
    ) -> None:
        check_share(share)
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
        return pearson(evidence, effects).to(case.images)


class SensitivityN(Metric):
    """Mean over subset sizes n of what :class:`FaithfulnessCorrelation` is for one.

    A method has sensitivity-n where that correlation is 1; the paper draws it over n, here is the
    mean of the curve. Quantus 0.6 hides the n most relevant parts instead of random ones, which is
    another question.

    Args:
        shares: The sizes n, as shares of the parts.
        n_subsets: Subsets per size.
        granularity: Whether parts are ``superpixels`` or ``pixels``.
        baseline: What hidden parts show; null for that of the explainers.
        seed: Seed of the subsets.
    """

    name = "sensitivity-n"
    family = "faithfulness"
    direction = "higher"
    range = (-1.0, 1.0)
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

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        others = self.n_subsets, self.granularity, self.baseline, self.seed
        sizes = [FaithfulnessCorrelation(share, *others) for share in self.shares]
        return torch.stack([size.measure(case, attribution) for size in sizes]).mean(0)


class FaithfulnessEstimate(Metric):
    """Pearson correlation over the superpixels: the evidence of each with its effect alone.

    Args:
        baseline: What hidden superpixels show; null for that of the explainers.
    """

    name = "faithfulness estimate"
    family = "faithfulness"
    direction = "higher"
    range = (-1.0, 1.0)
    paper = "Alvarez-Melis and Jaakkola 2018, arXiv:1806.07538"

    def __init__(self, baseline: Baseline | None = None) -> None:
        self.baseline = baseline

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        evidence = part_evidence(attribution, case.context.superpixels)
        return pearson(evidence, single_part_effects(case, self.baseline)).to(case.images)


class SinglePartEffect(Metric):
    """Rank correlation over the superpixels: the evidence of each with its effect alone.

    It asks what :class:`FaithfulnessEstimate` asks, and one strong superpixel does not decide it.

    Args:
        baseline: What hidden superpixels show; null for that of the explainers.
    """

    name = "single-part effect"
    family = "faithfulness"
    direction = "higher"
    range = (-1.0, 1.0)
    paper = "Hesse et al. 2023, arXiv:2308.06248 (single deletion)"

    def __init__(self, baseline: Baseline | None = None) -> None:
        self.baseline = baseline

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        evidence = part_evidence(attribution, case.context.superpixels)
        return spearman(evidence, single_part_effects(case, self.baseline)).to(case.images)


def single_part_effects(case: Case, baseline: Baseline | None) -> Float[Tensor, "b s"]:
    """Fall of the target's score without each superpixel; NaN where an image has fewer."""
    labels = case.context.superpixels
    effects = subset_effects(case, fill_for(baseline, case), labels, single_parts(labels))
    return effects.masked_fill(missing_parts(labels), torch.nan)
