"""DeepLIFT and its mean over baselines, complete on any network."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.backward.deeplift_rules import deeplift_rules
from cellxai.explain.backward.rules import NoRuleError, run_under
from cellxai.explain.backward.seen_graph import name_hidden
from cellxai.explain.base import Attribution, Context, Explainer, Model, unsupported_attribution
from cellxai.explain.completeness import judge_completeness, target_scores
from cellxai.explain.cost import frozen
from cellxai.explain.seeding import generator_of
from cellxai.explain.status import Doubt
from cellxai.explain.verdict import with_doubts


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
        baselines = [baseline[None] for baseline in context.baseline]
        return mean_over_baselines(model, images, baselines, targets, context.batch_size)


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
        baselines = NoisyBaselines(images, context, self.n_baselines, self.noise)
        return mean_over_baselines(model, images, baselines, targets, context.batch_size)


class NoisyBaselines(Sequence[Float[Tensor, "n c h w"]]):
    """Baselines of each image, drawn when they are asked for: the memory holds those of one image.

    Args:
        images: The images, whose pixels and the context's seed decide what is drawn.
        context: Its baseline is what noise is added to.
        n: Baselines per image.
        noise: Standard deviation of the noise.
    """

    def __init__(
        self, images: Float[Tensor, "b c h w"], context: Context, n: int, noise: float
    ) -> None:
        self.images = images
        self.context = context
        self.n = n
        self.noise = noise

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Float[Tensor, "n c h w"]:
        image, baseline = self.images[index], self.context.baseline[index]
        drawn = torch.randn(
            (self.n, *image.shape), generator=generator_of(image, self.context.seed)
        )
        return baseline + self.noise * drawn.to(image)


def mean_over_baselines(
    model: Model,
    images: Float[Tensor, "b c h w"],
    baselines: Sequence[Float[Tensor, "n c h w"]],
    targets: Int[Tensor, " b"],
    batch_size: int,
) -> Attribution:
    """Mean map of each image over its baselines, judged by the mean change of its score.

    The memory grows with the batch size, and not with the baselines.

    Args:
        model: Images to scores.
        images: The images to explain.
        baselines: Those of each image, equally many; looked up once, in order.
        targets: The class to explain, one per image.
        batch_size: Images per forward pass at most.
    """
    exact = torch.promote_types(images.dtype, torch.float32)  # sums of bfloat16 lose their ends
    by_plane, hidden = torch.zeros_like(images, dtype=exact), ""
    values = torch.zeros_like(images[:, 0], dtype=exact)
    baseline_scores = torch.zeros_like(images[:, 0, 0, 0], dtype=exact)
    with frozen(model):
        try:
            for owners, starts in batches_of_pairs(baselines, max(batch_size // 2, 1)):
                ends, labels = images[owners], targets[owners]
                maps, hidden = maps_of_pairs(model, ends, starts, labels)
                by_plane.index_add_(0, owners, maps.to(by_plane))
                values.index_add_(0, owners, maps.sum(1).to(values))
                of_baselines = target_scores(model, starts, labels, batch_size)
                baseline_scores.index_add_(0, owners, of_baselines.to(exact))
        except NoRuleError as error:
            return unsupported_attribution(images, f"DeepLIFT has {error}")
        scores = target_scores(model, images, targets, batch_size)
    n = len(baselines[0])
    change = (scores - baseline_scores / n).to(images.dtype)
    attribution = Attribution(
        (values / n).to(images.dtype), plane_values=(by_plane / n).to(images.dtype)
    )
    judged = judge_completeness(attribution, change)
    return with_doubts(judged, [Doubt("degraded", hidden)] if hidden else [])


def batches_of_pairs(
    baselines: Sequence[Float[Tensor, "n c h w"]], size: int
) -> Iterator[tuple[Int[Tensor, " m"], Float[Tensor, "m c h w"]]]:
    """Index of the image and baseline of every pair, ``size`` at a time, across images."""
    owners: list[int] = []
    waiting: list[Tensor] = []
    for index in range(len(baselines)):
        for baseline in baselines[index]:
            owners.append(index)
            waiting.append(baseline)
            if len(owners) == size:
                yield torch.tensor(owners, device=baseline.device), torch.stack(waiting)
                owners, waiting = [], []
    if owners:
        yield torch.tensor(owners, device=waiting[0].device), torch.stack(waiting)


def maps_of_pairs(
    model: Model,
    images: Float[Tensor, "b c h w"],
    baselines: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
) -> tuple[Float[Tensor, "b c h w"], str]:
    """Multipliers times Δpixel, by plane; the model must be frozen.

    And which functions are hidden from the rules, in words; empty for none.

    Raises:
        NoRuleError: If the model works in place in a way that cannot be followed.
    """
    pairs = torch.cat([images, baselines]).detach().requires_grad_()
    rules = deeplift_rules()
    scores = run_under(rules, model, pairs)
    hidden = name_hidden(rules.graph.hidden_nodes(scores))
    with torch.enable_grad():
        of_images = scores[: len(images)].gather(1, targets[:, None]).sum()
    (multipliers,) = torch.autograd.grad(of_images, pairs)
    return multipliers[: len(images)] * (images - baselines), hidden
