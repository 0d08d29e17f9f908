"""Truth: where the cause is known, because the images were rendered.

Agreement with the planted cause is :mod:`cellxai.explain.metrics.localisation` with
``region="cause"``. Here are the true effects of parts that were taken out of the scene and rendered
again, so that nothing is masked and no image is off the data; and planted shortcuts.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.explain.base import Attribution, Case, Explainer, Truth
from cellxai.explain.metrics.base import (
    AgainstTruth,
    ExplainerMetric,
    InRegion,
    Metric,
    ModelSource,
    is_degenerate,
)
from cellxai.explain.metrics.correlation import spearman
from cellxai.explain.metrics.localisation import region_auc
from cellxai.explain.metrics.planes import (
    evidence_in_planes,
    matched_to_region,
    spread_over_planes,
)


class RemovalCorrelation(Metric, AgainstTruth):
    """Rank correlation over the parts: the evidence in each with its true effect.

    Evidence is the sum of the map over the part's pixels, in the plane of the part where that is
    known (``part_planes``). NaN for an image with fewer than two
    parts, or whose parts all have the same effect.
    """

    name = "true part effects"
    family = "truth"
    direction = "higher"
    range = (-1.0, 1.0)
    paper = "after Hesse et al. 2023, arXiv:2308.06248 (FunnyBirds)"

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        parts = case.truth["parts"]
        if "part_planes" in case.truth:
            by_plane = spread_over_planes(attribution, case.images.shape[1])
            evidence = evidence_in_planes(by_plane, parts, case.truth["part_planes"])
        else:
            evidence = evidence_in(attribution.values, parts)
        return spearman(evidence, case.truth["effects"]).to(case.images)

    def chance(self, truth: Truth) -> Float[Tensor, " b"]:
        """0: what knows nothing does not correlate."""
        return torch.zeros_like(truth["effects"][:, 0])

    def applies_to(self, truth: Truth) -> bool:
        """Whether parts and their effects are known, and at least two of every image."""
        known = "parts" in truth and "effects" in truth
        return known and bool(((~truth["effects"].isnan()).sum(1) > 1).all())


class ShortcutContrast(ExplainerMetric, InRegion):
    """Does the map rank a planted cue higher in a model that uses it than in one that does not?

    AUC of the cue's pixels under the given model, which is known to use the cue, minus that under
    another, which is known not to. 1 means that the shortcut is found where it is used, and only
    there; 0 means that the cue is drawn for either model.

    Args:
        other: The model that does not use the cue; of the same classes.
        region: What the cue's pixels are called.
    """

    name = "shortcut contrast"
    family = "truth"
    direction = "higher"
    range = (-1.0, 1.0)
    paper = "after Adebayo et al. 2020, arXiv:2011.05429 (spurious correlation bugs)"

    def __init__(self, other: ModelSource, region: str = "cue") -> None:
        self.other = other
        self.region = region

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`; NaN where the other model's map is degenerate."""
        other = self.other.beside(case.model, case.images.device)
        without = case.with_model(other).ask(explainer)
        under, under_other = (
            region_auc(*matched_to_region(answer, case.truth[self.region]))
            for answer in (attribution, without)
        )
        degenerate = is_degenerate(without.values.detach())
        return (under - under_other.detach()).masked_fill(degenerate, torch.nan)

    def chance(self, truth: Truth) -> Float[Tensor, " b"]:
        """0: what knows nothing of the models cannot tell them apart."""
        region = truth[self.region]
        return torch.zeros(len(region), device=region.device)


def evidence_in(
    values: Float[Tensor, "b h w"], parts: Bool[Tensor, "b p h w"]
) -> Float[Tensor, "b p"]:
    """Sum of the map over each part, in float64; parts may overlap."""
    return (parts.flatten(2).double() @ values.double().flatten(1)[..., None])[..., 0]
