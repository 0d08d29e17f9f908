"""Faithfulness: does the model change its mind when what is said to matter goes or comes?

The target probability (softmax of the logits) is followed while superpixels turn from image to
baseline or back one by one, those of highest mean attribution first. The score is the area under
that curve over the share of pixels turned, from 0 to 1, not rescaled by its ends. Petsiuk et al.
(2018, arXiv:1806.07421) turn pixels; whole superpixels are the same parts for every method.
"""

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.metrics.base import Metric, Truth
from cellxai.explain.superpixels import painted, superpixel_means


class DeletionAUC(Metric):
    """Mean target probability while the most relevant superpixels are hidden first."""

    name = "deletion"
    direction = "lower"
    range = (0.0, 1.0)
    paper = "Petsiuk et al. 2018, arXiv:1806.07421"

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
        starts, ends = images, context.baseline
        return curve_areas(model, starts, ends, targets, attribution.values, context)


class InsertionAUC(Metric):
    """Mean target probability while the most relevant superpixels are shown first."""

    name = "insertion"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "Petsiuk et al. 2018, arXiv:1806.07421"

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
        starts, ends = context.baseline, images
        return curve_areas(model, starts, ends, targets, attribution.values, context)


def curve_areas(
    model: Model,
    starts: Float[Tensor, "b c h w"],
    ends: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    values: Float[Tensor, "b h w"],
    context: Context,
) -> Float[Tensor, " b"]:
    """Area under each image's curve of target probability on the way from start to end."""
    areas = []
    for i, labels in enumerate(context.superpixels):
        ranks = superpixel_ranks(values[i], labels)
        probabilities = probability_curve(
            model, starts[i], ends[i], painted(ranks, labels), targets[i], context.batch_size
        )
        areas.append(torch.trapezoid(probabilities, replaced_shares(ranks, labels)))
    return torch.stack(areas).to(values)


def superpixel_ranks(
    values: Float[Tensor, "h w"], labels: Int[Tensor, "h w"]
) -> Int64[Tensor, " s"]:
    """Place of each superpixel by mean attribution, 0 the highest; ties in order of label."""
    order = superpixel_means(values, labels).argsort(descending=True, stable=True)
    return order.argsort()


def replaced_shares(
    ranks: Int64[Tensor, " s"], labels: Int[Tensor, "h w"]
) -> Float[Tensor, " steps"]:
    """Share of the pixels replaced after 0, 1, …, s superpixels."""
    area_px = labels.flatten().bincount()[ranks.argsort()]
    replaced_px = torch.cat([area_px.new_zeros(1), area_px.cumsum(0)])
    return replaced_px / labels.numel()


@torch.no_grad()
def probability_curve(
    model: Model,
    start: Float[Tensor, "c h w"],
    end: Float[Tensor, "c h w"],
    rank_of_pixel: Int64[Tensor, "h w"],
    target: Int[Tensor, ""],
    batch_size: int,
) -> Float[Tensor, " steps"]:
    """Target probability after 0, 1, …, s superpixels of ``start`` have turned into ``end``."""
    n_steps = int(rank_of_pixel.max()) + 2
    probabilities = []
    for steps in torch.arange(n_steps, device=start.device).split(batch_size):
        replaced = rank_of_pixel < steps[:, None, None]
        logits = model(torch.where(replaced[:, None], end, start))
        probabilities.append(logits.softmax(-1)[:, target])
    return torch.cat(probabilities)
