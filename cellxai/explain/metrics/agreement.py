"""Agreement: do two maps say the same? Of two methods, two seeds, two models.

Agreement does not mean truth: methods that are wrong in the same way agree, too.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.explain.base import Attribution, Context
from cellxai.explain.metrics.base import Similarity
from cellxai.explain.metrics.correlation import spearman
from cellxai.explain.metrics.probing import Granularity, part_means


class RankCorrelation(Similarity):
    """Spearman's rank correlation of the attributions; of maps that know nothing, 0 on average.

    Args:
        granularity: Whether ``pixels`` are ranked, or the means of ``superpixels``.
        absolute: Whether sign is ignored, as Adebayo does for his second figure.
    """

    name = "rank correlation"
    range = (-1.0, 1.0)
    paper = "Adebayo et al. 2018, arXiv:1810.03292"

    def __init__(self, granularity: Granularity = "superpixels", absolute: bool = False) -> None:
        self.granularity: Granularity = granularity
        self.absolute = absolute

    def compare(
        self, first: Attribution, second: Attribution, context: Context
    ) -> Float[Tensor, " b"]:
        """See :meth:`Similarity.compare`."""
        a, b = (self._ranked(attribution.values, context) for attribution in (first, second))
        return spearman(a, b).to(first.values)

    def _ranked(self, values: Float[Tensor, "b h w"], context: Context) -> Float[Tensor, "b n"]:
        values = values.abs() if self.absolute else values
        if self.granularity == "pixels":
            return values.flatten(1)
        return part_means(values, context.superpixels)


class TopKOverlap(Similarity):
    """Jaccard index of the k superpixels of highest mean attribution.

    Args:
        k: How many; ties go to the lower label, and images of fewer superpixels take them all.
    """

    name = "top-k overlap"
    range = (0.0, 1.0)
    paper = "Jaccard 1901; for explanations Krishna et al. 2022, arXiv:2202.01602"

    def __init__(self, k: int = 5) -> None:
        if k < 1:
            raise ValueError(f"k={k}: expected at least one superpixel")
        self.k = k

    def compare(
        self, first: Attribution, second: Attribution, context: Context
    ) -> Float[Tensor, " b"]:
        """See :meth:`Similarity.compare`."""
        superpixels = context.superpixels
        means = [part_means(values, superpixels) for values in (first.values, second.values)]
        a, b = (highest(values, self.k) for values in means)
        return (a & b).sum(1).to(first.values) / (a | b).sum(1)


class SignAgreement(Similarity):
    """Share of the superpixels whose mean attributions have the same sign; 0 agrees with 0 alone.

    What knows nothing agrees by half if both maps are as often positive as negative. Methods
    without negative evidence, such as a saliency, agree with each other by definition.
    """

    name = "sign agreement"
    range = (0.0, 1.0)
    paper = "Krishna et al. 2022, arXiv:2202.01602"

    def compare(
        self, first: Attribution, second: Attribution, context: Context
    ) -> Float[Tensor, " b"]:
        """See :meth:`Similarity.compare`."""
        superpixels = context.superpixels
        a, b = (part_means(values, superpixels) for values in (first.values, second.values))
        exists = ~a.isnan()
        return ((a.sign() == b.sign()) & exists).sum(1).to(first.values) / exists.sum(1)


def highest(values: Float[Tensor, "b s"], k: int) -> Bool[Tensor, "b s"]:
    """The k highest of each row, never a NaN."""
    order = values.nan_to_num(-torch.inf).argsort(dim=1, descending=True, stable=True)
    chosen = torch.zeros_like(values, dtype=torch.bool).scatter(1, order[:, :k], True)
    return chosen & ~values.isnan()
