"""Monotonicity: does the model become surer with every part that is shown to it?"""

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.base import Attribution, Case
from cellxai.explain.baselines import Baseline
from cellxai.explain.metrics.base import Metric
from cellxai.explain.metrics.faithfulness import check_steps, removal_ranks, score_curves
from cellxai.explain.metrics.probing import Granularity, fill_for


class Monotonicity(Metric):
    """Share of the steps that do not lower the target probability, or other score.

    Parts are shown one by one over the baseline, those of *lowest* attribution first. The paper
    asks whether every step raises the probability (1 here, True in AIX360 and in Quantus'
    ``MonotonicityArya``); a share tells methods apart where none is perfect. It is not the
    monotonicity of Nguyen and Martínez (2020), a rank correlation of sizes with effects, which
    :class:`cellxai.explain.metrics.faithfulness_correlation.SinglePartEffect` is closest to. NaN
    where the score never changes.

    Args:
        granularity: ``superpixels`` one by one, or ``pixels`` in ``n_steps`` equal steps.
        n_steps: Steps of pixels; of no effect on superpixels.
        baseline: What parts show before they are shown; null for that of the explainers.
    """

    name = "monotonicity"
    family = "faithfulness"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "Arya et al. 2019, arXiv:1909.03012, section 5.2"

    def __init__(
        self,
        granularity: Granularity = "superpixels",
        n_steps: int = 32,
        baseline: Baseline | None = None,
    ) -> None:
        check_steps(n_steps)
        self.granularity: Granularity = granularity
        self.n_steps = n_steps
        self.baseline = baseline

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        hidden = case.with_images(fill_for(self.baseline, case))
        ascending = Attribution(-attribution.values)
        ranks = removal_ranks(case, ascending, self.granularity, self.n_steps)
        curves = score_curves(hidden, case.images, ranks)
        return torch.stack([share_of_rises(curve) for curve in curves]).to(case.images)


def share_of_rises(curve: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Share of the steps that do not fall; NaN where all are level, or a number is unknown."""
    steps = curve.diff()
    share = (steps >= 0).to(curve).mean()
    return share.masked_fill((steps == 0).all() | ~curve.isfinite().all(), torch.nan)
