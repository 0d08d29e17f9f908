"""Layer-wise relevance propagation (LRP) on any convolutional network."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.backward.gradients import with_gradient
from cellxai.explain.backward.lrp_rules import Composite, relevance_rules
from cellxai.explain.backward.rules import NoRuleError, run_under
from cellxai.explain.base import Attribution, Context, Explainer, Model, unsupported_attribution
from cellxai.explain.completeness import judge_completeness, target_scores
from cellxai.explain.cost import frozen

TOLERATED_LOSS = 0.05  # of the relevance, on its way to the pixels


class LRP(Explainer):
    """The score handed back layer by layer, none lost (Bach et al. 2015).

    Relative to nothing rather than to a baseline. Signed; the map sums to the target's score, and
    is *degraded* where more than 5 % of it is lost on the way. Networks of convolutions, linear
    layers, activations, normalisation, pooling, residual sums and gates have rules; attention has
    none and is *unsupported*, as is any score but a logit. Rules: see
    :mod:`cellxai.explain.backward.lrp_rules`.

    Args:
        composite: Rule of the convolutions: ``epsilon-plus`` follows positive contributions,
            ``epsilon-alpha-beta`` weighs positive against negative 2 : 1, ``epsilon`` is noisy in
            deep networks. Layers without positions always have ε.
    """

    def __init__(self, composite: Composite = "epsilon-plus") -> None:
        self.composite: Composite = composite

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        size = context.batch_size
        batches = zip(images.split(size), targets.split(size), strict=True)
        with frozen(model):
            try:
                maps = [relevance_map(model, *batch, self.composite) for batch in batches]
            except NoRuleError as error:
                return unsupported_attribution(images, f"LRP has {error}")
            scores = target_scores(model, images, targets, size)
        attribution = Attribution(torch.cat(maps))
        return judge_completeness(attribution, scores, TOLERATED_LOSS, law="conservation")


def relevance_map(
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    composite: Composite,
) -> Float[Tensor, "b h w"]:
    """Relevance of each pixel, summed over the channels; the model must be frozen.

    Raises:
        NoRuleError: If the model calls a function without a rule.
    """
    leaves = with_gradient(images)
    scores = run_under(relevance_rules(composite), model, leaves)
    with torch.enable_grad():
        of_targets = scores.gather(1, targets[:, None])
    (of_pixels,) = torch.autograd.grad(of_targets, leaves, of_targets.detach())
    return of_pixels.sum(1)
