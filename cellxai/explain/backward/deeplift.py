"""DeepLIFT and its mean over baselines, complete on any network."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.backward.deeplift_rules import deeplift_rules
from cellxai.explain.backward.rules import NoRuleError, run_under
from cellxai.explain.base import Attribution, Context, Explainer, Model, unsupported_attribution
from cellxai.explain.completeness import change_of_score, judge_completeness
from cellxai.explain.cost import frozen
from cellxai.explain.seeding import generator_of


class DeepLift(Explainer):
    """Change of the score, from baseline to image, traced back to the pixels (arXiv:1704.02685).

    The rescale rule, extended to gates, attention and normalisation (see
    :mod:`cellxai.explain.backward.deeplift_rules`): Captum has rules for neither SiLU nor products.
    Signed; the map sums to score(image) − score(baseline), and is *degraded* where it misses more
    than 1 %.
    """

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        return mean_over_baselines(model, images, context.baseline, targets, context.batch_size)


class DeepLiftShap(Explainer):
    """Mean of DeepLIFT over several baselines (Lundberg and Lee 2017, arXiv:1705.07874).

    The baselines are the context's with Gaussian noise: one baseline is one opinion of what
    "nothing" looks like. The map sums to score(image) − mean score of the baselines.

    Args:
        n_baselines: Baselines per image.
        noise: Standard deviation of the noise, in the units of the images.
    """

    def __init__(self, n_baselines: int = 8, noise: float = 0.1) -> None:
        if n_baselines < 1:
            raise ValueError(
                f"n_baselines={n_baselines} compares with nothing; pass n_baselines>=1"
            )
        self.n_baselines = n_baselines
        self.noise = noise

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        baselines = noisy_baselines(images, context, self.n_baselines, self.noise)
        return mean_over_baselines(model, images, baselines, targets, context.batch_size)


def mean_over_baselines(
    model: Model,
    images: Float[Tensor, "b c h w"],
    baselines: Float[Tensor, "b_times_n c h w"],
    targets: Int[Tensor, " b"],
    batch_size: int,
) -> Attribution:
    """Mean map of each image over its baselines, judged by the mean change of its score.

    Args:
        model: Images to scores.
        images: The images to explain.
        baselines: Equally many for each image, those of the first image first.
        targets: The class to explain, one per image.
        batch_size: Images per forward pass at most.
    """
    n = len(baselines) // len(images)
    repeated, labels = images.repeat_interleave(n, 0), targets.repeat_interleave(n, 0)
    with frozen(model):
        try:
            maps = deeplift_maps(model, repeated, baselines, labels, batch_size)
        except NoRuleError as error:
            return unsupported_attribution(images, f"DeepLIFT has {error}")
        changes = change_of_score(model, repeated, baselines, labels, batch_size)
    values, change = (per_pair.unflatten(0, (-1, n)).mean(1) for per_pair in (maps, changes))
    return judge_completeness(Attribution(values), change)


def deeplift_maps(
    model: Model,
    images: Float[Tensor, "b c h w"],
    baselines: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    batch_size: int,
) -> Float[Tensor, "b h w"]:
    """Multipliers times Δpixel, summed over the channels; the model must be frozen.

    Raises:
        NoRuleError: If the model works in place in a way that cannot be followed.
    """
    pairs_per_pass = max(batch_size // 2, 1)
    batches = zip(*(x.split(pairs_per_pass) for x in (images, baselines, targets)), strict=True)
    return torch.cat([_maps_of_a_pass(model, *batch) for batch in batches])


def _maps_of_a_pass(
    model: Model,
    images: Float[Tensor, "b c h w"],
    baselines: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
) -> Float[Tensor, "b h w"]:
    pairs = torch.cat([images, baselines]).detach().requires_grad_()
    scores = run_under(deeplift_rules(), model, pairs)
    with torch.enable_grad():
        of_images = scores[: len(images)].gather(1, targets[:, None]).sum()
    (multipliers,) = torch.autograd.grad(of_images, pairs)
    return (multipliers[: len(images)] * (images - baselines)).sum(1)


def noisy_baselines(
    images: Float[Tensor, "b c h w"], context: Context, n: int, noise: float
) -> Float[Tensor, "b_times_n c h w"]:
    """``n`` baselines of the first image, then of the second, and so on; seeded per image."""
    drawn = [
        baseline + noise * torch.randn((n, *x.shape), generator=generator_of(x, context.seed)).to(x)
        for x, baseline in zip(images, context.baseline, strict=True)
    ]
    return torch.cat(drawn)
