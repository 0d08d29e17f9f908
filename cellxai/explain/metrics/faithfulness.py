"""Faithfulness by curves: does the model change its mind when what is said to matter goes or comes?

The target probability (softmax of the logits) is followed while the image turns into its baseline,
or back, part by part, those of highest mean attribution first. Where another score is explained,
such as a log-density, it is followed itself: areas are then in its units, and not between 0 and 1.
Scores depend on the baseline, so a config lists each metric under two of them, and
:class:`FamiliarityDrop` tells how strange the model must have found what it was shown on the way.
"""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.baselines import Baseline
from cellxai.explain.metrics.base import Density, Metric, Truth
from cellxai.explain.metrics.probing import (
    Granularity,
    Variants,
    followed,
    part_means,
    target_scores,
)
from cellxai.explain.perturbation import in_batches
from cellxai.explain.superpixels.base import paint


class _Curve(Metric):
    family = "faithfulness"

    def __init__(
        self,
        granularity: Granularity = "superpixels",
        n_steps: int = 32,
        baseline: Baseline | None = None,
    ) -> None:
        if n_steps < 1:
            raise ValueError(f"n_steps={n_steps}: a curve has steps; pass n_steps>=1")
        self.granularity: Granularity = granularity
        self.n_steps = n_steps
        self.baseline = baseline

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
        ranks = removal_ranks(
            attribution.values, context.superpixels, self.granularity, self.n_steps
        )
        return self.area(model, images, fill, targets, ranks, context.batch_size).to(images)

    @abstractmethod
    def area(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        fill: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        ranks: Int64[Tensor, "b h w"],
        batch_size: int,
    ) -> Float[Tensor, " b"]:
        """What is made of the curve along these ranks."""


class DeletionAUC(_Curve):
    """Mean target probability, or other score, while the most relevant parts are hidden first.

    The area under the curve over the share of pixels hidden, from 0 to 1, not rescaled by its ends.
    Petsiuk hides pixels; whole superpixels are the same parts for every method.

    Args:
        granularity: ``superpixels`` one by one, or ``pixels`` in ``n_steps`` equal steps.
        n_steps: Steps of pixels; of no effect on superpixels.
        baseline: What hidden parts show; null for that of the explainers.
    """

    name = "deletion"
    direction = "lower"
    range = (0.0, 1.0)
    paper = "Petsiuk et al. 2018, arXiv:1806.07421"

    def area(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        fill: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        ranks: Int64[Tensor, "b h w"],
        batch_size: int,
    ) -> Float[Tensor, " b"]:
        """Area under the curve from image to baseline."""
        return areas(score_curves(model, images, fill, targets, ranks, batch_size), ranks)


class InsertionAUC(_Curve):
    """Mean target probability, or other score, while the most relevant parts are shown first.

    The area under the curve over the share of pixels shown, from 0 to 1, not rescaled by its ends.

    Args:
        granularity: ``superpixels`` one by one, or ``pixels`` in ``n_steps`` equal steps.
        n_steps: Steps of pixels; of no effect on superpixels.
        baseline: What hidden parts show; null for that of the explainers.
    """

    name = "insertion"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "Petsiuk et al. 2018, arXiv:1806.07421"

    def area(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        fill: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        ranks: Int64[Tensor, "b h w"],
        batch_size: int,
    ) -> Float[Tensor, " b"]:
        """Area under the curve from baseline to image."""
        return areas(score_curves(model, fill, images, targets, ranks, batch_size), ranks)


class Irof(_Curve):
    """Iterative removal of features: area *over* the deletion curve of superpixels.

    The probability relative to that of the whole image, over the share of superpixels hidden, each
    counting the same whatever its size; negative where hiding makes the model surer on average. It
    asks what :class:`DeletionAUC` asks of superpixels. The paper hides by the mean colour.

    A ratio asks for a score whose 0 means nothing, as a probability's does and a log-density's does
    not. NaN where the whole image's score is not positive.

    Args:
        baseline: What hidden superpixels show; null for that of the explainers.
    """

    name = "IROF"
    direction = "higher"
    range = (-torch.inf, 1.0)
    paper = "Rieger and Hansen 2020, arXiv:2003.08747"

    def __init__(self, baseline: Baseline | None = None) -> None:
        super().__init__("superpixels", baseline=baseline)

    def area(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        fill: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        ranks: Int64[Tensor, "b h w"],
        batch_size: int,
    ) -> Float[Tensor, " b"]:
        """Area over the curve from image to baseline, in steps of one width."""
        curves = score_curves(model, images, fill, targets, ranks, batch_size)
        areas_over = [1 - torch.trapezoid(curve / curve[0]) / (len(curve) - 1) for curve in curves]
        wholes = torch.stack([curve[0] for curve in curves])
        return torch.stack(areas_over).masked_fill(wholes <= 0, torch.nan)


class FamiliarityDrop(_Curve):
    """Nats by which the images on a deletion curve are less familiar than the image, on average.

    No measure of an explanation but of the question: where it is large, deletion and insertion ask
    about images that the model was never trained for, and say as much about that as about the map.

    Args:
        density: Log-density of images, such as that of their features under the training mixture.
        granularity: ``superpixels`` one by one, or ``pixels`` in ``n_steps`` equal steps.
        n_steps: Steps of pixels; of no effect on superpixels.
        baseline: What hidden parts show; null for that of the explainers.
    """

    name = "familiarity drop"
    family = "validity"
    direction = "lower"
    range = (-torch.inf, torch.inf)
    paper = "after Hooker et al. 2019, arXiv:1806.10758, who retrain against the same problem"

    def __init__(
        self,
        density: Density,
        granularity: Granularity = "superpixels",
        n_steps: int = 32,
        baseline: Baseline | None = None,
    ) -> None:
        super().__init__(granularity, n_steps, baseline)
        self.density = density

    def area(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        fill: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        ranks: Int64[Tensor, "b h w"],
        batch_size: int,
    ) -> Float[Tensor, " b"]:
        """Mean over the steps of the image's log-density less that of the step."""
        owners, variants = steps_between(images, fill, ranks)
        with torch.no_grad():
            found = in_batches(
                lambda rows: self.density.log_density(variants(rows)).double(),
                len(owners),
                batch_size,
            )
            curves = torch.cat(list(found)).split(owners.bincount().tolist())
        return torch.stack([curve[0] - curve[1:].mean() for curve in curves])


def filled(
    baseline: Baseline | None, images: Float[Tensor, "b c h w"], context: Context
) -> Float[Tensor, "b c h w"]:
    """What hidden parts show: a metric's own baseline, or that of the explainers."""
    return context.baseline if baseline is None else baseline.fill(images, context.superpixels)


def removal_ranks(
    values: Float[Tensor, "b h w"],
    superpixels: Int64[Tensor, "b h w"],
    granularity: Granularity,
    n_steps: int,
) -> Int64[Tensor, "b h w"]:
    """The step, from 0, at which each pixel turns: those of highest mean attribution first.

    Ties are broken by label, or by place in the image.
    """
    if granularity == "superpixels":
        order = part_means(values, superpixels).nan_to_num(-torch.inf)
        places = order.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return torch.stack(list(map(paint, places, superpixels)))
    pixels = values.flatten(1)
    places = pixels.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return (places * min(n_steps, pixels.shape[1]) // pixels.shape[1]).view_as(values)


def steps_between(
    starts: Float[Tensor, "b c h w"],
    ends: Float[Tensor, "b c h w"],
    ranks: Int64[Tensor, "b h w"],
) -> tuple[Int64[Tensor, " n"], Variants]:
    """Owner of each image on the way from start to end, and what makes these images."""
    n_steps = ranks.flatten(1).amax(1) + 2
    owners = torch.arange(len(ranks), device=ranks.device).repeat_interleave(n_steps)
    steps = torch.cat([torch.arange(n, device=ranks.device) for n in n_steps.tolist()])

    def variants(rows: slice) -> Float[Tensor, "m c h w"]:
        own = owners[rows]
        replaced = ranks[own] < steps[rows, None, None]
        return torch.where(replaced[:, None], ends[own], starts[own])

    return owners, variants


def score_curves(
    model: Model,
    starts: Float[Tensor, "b c h w"],
    ends: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    ranks: Int64[Tensor, "b h w"],
    batch_size: int,
) -> list[Float[Tensor, " _steps"]]:
    """What is :func:`followed` of each image after 0, 1, … steps from its start to its end."""
    owners, variants = steps_between(starts, ends, ranks)
    scores = target_scores(followed(model), targets[owners], variants, batch_size)
    return list(scores.split(owners.bincount().tolist()))


def areas(
    curves: list[Float[Tensor, " _steps"]], ranks: Int64[Tensor, "b h w"]
) -> Float[Tensor, " b"]:
    """Area under each curve over the share of pixels turned."""
    shares = [torch.cat([r.new_zeros(1), r.flatten().bincount().cumsum(0)]) for r in ranks]
    return torch.stack(
        [
            torch.trapezoid(curve, share / ranks[0].numel())
            for curve, share in zip(curves, shares, strict=True)
        ]
    )
