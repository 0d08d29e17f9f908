"""Faithfulness by curves: does the model change its mind when what is said to matter goes or comes?

The target probability (softmax of the logits) is followed while the image turns into its baseline,
or back, part by part, those of highest mean attribution first. Where another score is explained,
such as a log-density, it is followed itself: areas are then in its units, and not between 0 and 1.
Scores depend on the baseline, so a config lists each metric under two of them, and
:class:`FamiliarityDrop` tells how strange the model must have found what it was shown on the way.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cellxai.explain.base import Attribution, Case
from cellxai.explain.baselines import Baseline
from cellxai.explain.metrics.base import Density, Metric
from cellxai.explain.metrics.probing import (
    Granularity,
    Variants,
    fill_for,
    model_for_curves,
    part_means,
    scores_of_variants,
)
from cellxai.explain.perturbation import in_batches
from cellxai.explain.superpixels.base import paint


class DeletionAUC(Metric):
    """Mean target probability, or other score, while the most relevant parts are hidden first.

    The area under the curve over the share of pixels hidden, from 0 to 1, not rescaled by its ends.
    Petsiuk hides pixels; whole superpixels are the same parts for every method.

    Args:
        granularity: ``superpixels`` one by one, or ``pixels`` in ``n_steps`` equal steps.
        n_steps: Steps of pixels; of no effect on superpixels.
        baseline: What hidden parts show; null for that of the explainers.
    """

    name = "deletion"
    family = "faithfulness"
    direction = "lower"
    range = (0.0, 1.0)
    paper = "Petsiuk et al. 2018, arXiv:1806.07421"

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
        """Area under the curve from image to baseline."""
        fill = fill_for(self.baseline, case)
        ranks = removal_ranks(case, attribution, self.granularity, self.n_steps)
        return areas(score_curves(case, fill, ranks), ranks).to(case.images)


class InsertionAUC(Metric):
    """Mean target probability, or other score, while the most relevant parts are shown first.

    The area under the curve over the share of pixels shown, from 0 to 1, not rescaled by its ends.

    Args:
        granularity: ``superpixels`` one by one, or ``pixels`` in ``n_steps`` equal steps.
        n_steps: Steps of pixels; of no effect on superpixels.
        baseline: What hidden parts show; null for that of the explainers.
    """

    name = "insertion"
    family = "faithfulness"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "Petsiuk et al. 2018, arXiv:1806.07421"

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
        """Area under the curve from baseline to image."""
        hidden = case.with_images(fill_for(self.baseline, case))
        ranks = removal_ranks(case, attribution, self.granularity, self.n_steps)
        return areas(score_curves(hidden, case.images, ranks), ranks).to(case.images)


class Irof(Metric):
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
    family = "faithfulness"
    direction = "higher"
    range = (-torch.inf, 1.0)
    paper = "Rieger and Hansen 2020, arXiv:2003.08747"

    def __init__(self, baseline: Baseline | None = None) -> None:
        self.baseline = baseline

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """Area over the curve from image to baseline, in steps of one width."""
        fill = fill_for(self.baseline, case)
        curves = score_curves(case, fill, removal_ranks(case, attribution))
        areas_over = [1 - torch.trapezoid(curve / curve[0]) / (len(curve) - 1) for curve in curves]
        wholes = torch.stack([curve[0] for curve in curves])
        return torch.stack(areas_over).masked_fill(wholes <= 0, torch.nan).to(case.images)


class FamiliarityDrop(Metric):
    """Nats by which the images on a deletion curve are less familiar than the image, on average.

    It measures not the explanation but the question: where it is large, deletion and insertion ask
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
        check_steps(n_steps)
        self.density = density
        self.granularity: Granularity = granularity
        self.n_steps = n_steps
        self.baseline = baseline

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """Mean over the steps of the image's log-density minus that of the step."""
        fill = fill_for(self.baseline, case)
        ranks = removal_ranks(case, attribution, self.granularity, self.n_steps)
        owners, variants = steps_between(case.images, fill, ranks)

        @torch.no_grad()
        def log_density(rows: slice) -> Float[Tensor, " m"]:
            return self.density.log_density(variants(rows)).double()

        steps = torch.cat(list(in_batches(log_density, len(owners), case.context.batch_size)))
        curves = steps.split(owners.bincount().tolist())
        return torch.stack([curve[0] - curve[1:].mean() for curve in curves]).to(case.images)


def check_steps(n_steps: int) -> None:
    """Refuses a curve without steps.

    Raises:
        ValueError: If there is none.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps={n_steps}: a curve has steps; pass n_steps>=1")


def removal_ranks(
    case: Case,
    attribution: Attribution,
    granularity: Granularity = "superpixels",
    n_steps: int = 32,
) -> Int64[Tensor, "b h w"]:
    """The step, from 0, at which each pixel turns: those of highest mean attribution first.

    Ties are broken by label, or by position in the image.
    """
    values, superpixels = attribution.values, case.context.superpixels
    if granularity == "superpixels":
        means = part_means(values, superpixels).nan_to_num(-torch.inf)
        return torch.stack(list(map(paint, descending_ranks(means), superpixels)))
    n_pixels = superpixels[0].numel()
    ranks = descending_ranks(values.flatten(1))
    return (ranks * min(n_steps, n_pixels) // n_pixels).view_as(values)


def descending_ranks(values: Float[Tensor, "b n"]) -> Int64[Tensor, "b n"]:
    """Rank of each value, 0 for the highest; of equal ones the first ranks first."""
    return values.argsort(dim=1, descending=True, stable=True).argsort(dim=1)


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
    case: Case, ends: Float[Tensor, "b c h w"], ranks: Int64[Tensor, "b h w"]
) -> list[Float[Tensor, " _steps"]]:
    """The target's score of each image after 0, 1, … steps from the image of the case to its end.

    Args:
        case: Its images are the starts of the curves.
        ends: What the images have turned into after the last step.
        ranks: At which step each pixel turns.
    """
    owners, variants = steps_between(case.images, ends, ranks)
    model, targets = model_for_curves(case.model), case.targets[owners]
    scores = scores_of_variants(model, targets, variants, case.context.batch_size)
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
