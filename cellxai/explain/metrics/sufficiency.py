"""Sufficiency: where the explanation is the same, is the prediction the same?"""

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.base import Attribution, Case, Explainer
from cellxai.explain.metrics.agreement import RankCorrelation
from cellxai.explain.metrics.base import ExplainerMetric, Similarity
from cellxai.explain.metrics.probing import (
    check_share,
    decisions_of_images,
    fill_for,
    random_subsets,
)


class Sufficiency(ExplainerMetric):
    """Share of the inputs with the same explanation that also have the same prediction.

    Definition 1 of the paper, P(f(x') = f(x) | x' is explained like x). Its inputs x' are drawn
    from a population; one image has none, so here they are the image with random subsets of its
    superpixels hidden by the baseline. Two maps are the same where their similarity is at least
    ``threshold``. NaN where no x' is explained like x: then nothing can be said.

    Args:
        n_samples: How many x', each explained anew.
        share: Share of the superpixels that each hides.
        threshold: Similarity from which maps count as the same.
        similarity: How two maps are compared; null for the rank correlation of superpixels.
        seed: Seed of the subsets.
    """

    name = "sufficiency"
    family = "faithfulness"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "Dasgupta et al. 2022, arXiv:2202.00734"

    def __init__(
        self,
        n_samples: int = 10,
        share: float = 0.3,
        threshold: float = 0.6,
        similarity: Similarity | None = None,
        seed: int = 0,
    ) -> None:
        check_share(share)
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples}: expected at least 1, or nothing is compared")
        self.n_samples = n_samples
        self.share = share
        self.threshold = threshold
        self.similarity = similarity
        self.seed = seed

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`."""
        n, variants = self.n_samples, self._variants(case)
        again = variants.ask(explainer)
        same_map = self._similarities(case, attribution, again) >= self.threshold  # NaN: not alike
        before, after = decisions_of_images(case), decisions_of_images(variants)
        same_prediction = after.view(-1, n) == before[:, None]
        counts = same_map.sum(1).to(case.images)
        return (same_map & same_prediction).sum(1) / counts  # 0 / 0: nothing is explained alike

    def _variants(self, case: Case) -> Case:
        """Every image n times, each time with other superpixels hidden."""
        labels, repeated = case.context.superpixels, case.repeat(self.n_samples)
        hidden = random_subsets(case.images, labels, self.share, self.n_samples, self.seed)
        flat = repeated.context.superpixels.flatten(1)
        is_hidden = hidden.flatten(0, 1).gather(1, flat).view(-1, 1, *labels.shape[1:])
        fill = fill_for(None, repeated)
        return repeated.with_images(torch.where(is_hidden, fill, repeated.images))

    def _similarities(
        self, case: Case, attribution: Attribution, again: Attribution
    ) -> Float[Tensor, "b n"]:
        repeated = case.repeat(self.n_samples).context
        first = Attribution(attribution.values.repeat_interleave(self.n_samples, 0))
        similarity = self.similarity or RankCorrelation()
        return similarity.between(first, again, repeated).view(-1, self.n_samples)
