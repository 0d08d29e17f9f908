"""Layer-wise relevance propagation (LRP) on convolutional networks and transformers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cellxai.explain.backward.gradients import with_gradient
from cellxai.explain.backward.lrp_absorbed import shares_in_words
from cellxai.explain.backward.lrp_rules import RelevancePass
from cellxai.explain.backward.lrp_spreads import (
    GAMMA,
    CompositeName,
    composite_of,
    flat_spread,
)
from cellxai.explain.backward.rules import NoRuleError, run_under
from cellxai.explain.backward.seen_graph import name_hidden
from cellxai.explain.base import (
    Attribution,
    Context,
    Explainer,
    Model,
    attribution_of_planes,
    unsupported_attribution,
)
from cellxai.explain.completeness import NEGLIGIBLE, judge_completeness
from cellxai.explain.cost import frozen
from cellxai.explain.score import Scored
from cellxai.explain.status import Doubt, doubt_of_images
from cellxai.explain.verdict import with_doubts

TOLERATED_LOSS = 0.05  # of the relevance, on its way to the pixels
UNITS_OF_NOISE = 16  # of the last digit of the score: what is smaller is rounding
OUTSIDE = 0.1  # of the width of the box: noise on an image may leave it by a little


class LRP(Explainer):
    """The score handed back layer by layer, none lost (Bach et al. 2015).

    Relative to nothing rather than to a baseline. Signed; the map sums to the target's score (or,
    of another score than a logit, to Σ logit × slope of the score, see :func:`relevance_map`), and
    is *degraded* where more than 5 % of that is lost on the way. What a softmax, class tokens and
    registers take is not in the map, but counted and told. Networks of convolutions, linear layers,
    activations, normalisation, pooling, residual sums, gates and attention have rules: see
    :mod:`cellxai.explain.backward.lrp_rules`, :mod:`cellxai.explain.backward.lrp_spreads` for those
    of layers with weights, and :mod:`cellxai.explain.backward.lrp_attention`.

    Args:
        composite: Rule of the convolutions: ``epsilon-plus`` follows positive contributions,
            ``epsilon-alpha-beta`` weighs positive against negative 2 : 1, ``epsilon-gamma``
            1 + γ : 1, ``epsilon`` is noisy in deep networks. Layers without positions always have
            ε. With ``-flat`` the layers that see the pixels spread alike, with ``-box`` by z^B;
            *degraded* where no layer does. ``attention`` is AttnLRP for transformers: ε everywhere,
            and biases and position embeddings take their part; ``attention-gamma`` the same with γ.
        gamma: γ; of no effect without it.
        box: Least and largest value of a pixel, before the network normalises it; of no effect
            without ``-box``.
    """

    def __init__(
        self,
        composite: CompositeName = "epsilon-plus",
        gamma: float = GAMMA,
        box: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        if not 0 <= gamma < float("inf"):
            raise ValueError(f"gamma={gamma}: expected a number of at least 0, such as {GAMMA}")
        low, high = box
        if not low < high:
            raise ValueError(f"box={list(box)}: expected the least pixel below the largest")
        self.composite: CompositeName = composite
        self.gamma = gamma
        self.box = (low, high)
        if composite_of(composite, gamma).at_pixels is flat_spread:
            self.no_planes = "spreads over all planes alike at the pixels"

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
        composite = composite_of(self.composite, self.gamma)
        passes: list[RelevancePass] = []
        maps: list[RelevanceMap] = []
        with frozen(model):
            try:
                for batch in batches:
                    passes.append(RelevancePass(batch[0], composite, self.box))
                    maps.append(relevance_map(model, *batch, passes[-1]))
            except NoRuleError as error:
                return unsupported_attribution(images, f"LRP has {error}")
        values, promised, missed = (
            torch.cat([getattr(part, name) for part in maps])
            for name in ("values", "promised", "missed")
        )
        attribution = attribution_of_planes(values)
        if self.no_planes:
            attribution = replace(attribution, plane_values=None)
        absorbed = torch.cat([part.absorbed.total() for part in passes]).to(promised)
        judged = judge_completeness(
            attribution, promised, TOLERATED_LOSS, law="conservation", elsewhere=absorbed
        )
        doubts = doubts_of_score(promised, missed) + doubts_of_constants(passes, promised)
        doubts += doubts_of_rounding(values, promised, images.dtype)
        doubts += [Doubt("degraded", hidden) for hidden in [passes[0].hidden] if hidden]
        if composite.at_pixels is not None:
            doubts += self._doubts_of_pixels(images, passes[0].n_pixel_layers)
        return with_doubts(judged, doubts)

    def _doubts_of_pixels(
        self, images: Float[Tensor, "b c h w"], n_pixel_layers: int
    ) -> list[Doubt]:
        low, high = self.box
        reach = OUTSIDE * (high - low)
        outside = ((images < low - reach) | (images > high + reach)).flatten(1).any(1)
        fault = f"pixels lie outside box=[{low:g}, {high:g}]"
        doubts = [doubt_of_images(outside, fault)]
        if not n_pixel_layers:
            fault = "no layer sees the pixels themselves, and the rule of the pixels is not used"
            doubts.append(Doubt("degraded", fault))
        return [doubt for doubt in doubts if doubt is not None]


def doubts_of_score(promised: Float[Tensor, " b"], missed: Float[Tensor, " b"]) -> list[Doubt]:
    """That the maps do not sum to the score, where it is not linear in the logits."""
    gap = float((missed.abs() / (promised + missed).abs().clamp(min=NEGLIGIBLE)).amax())
    if not gap > TOLERATED_LOSS:
        return []
    return [Doubt("ok", "the map sums to Σ logit × slope of the score, not to the score")]


def doubts_of_constants(
    passes: Sequence[RelevancePass], promised: Float[Tensor, " b"]
) -> list[Doubt]:
    """How much of the score is not in the maps, because constants of the network have taken it."""
    kinds = dict.fromkeys(kind for part in passes for kind in part.absorbed.by_kind)
    taken = {
        kind: torch.cat([part.absorbed.of_kind(kind) for part in passes]).to(promised)
        for kind in kinds
    }
    shares = shares_in_words(taken, promised)
    return [Doubt("ok", f"of the score, constants take: {', '.join(shares)}")] if shares else []


def doubts_of_rounding(
    values: Float[Tensor, "b c h w"], promised: Float[Tensor, " b"], dtype: torch.dtype
) -> list[Doubt]:
    """That constants leave the pixels less than the network's precision can tell from nothing."""
    left = values.to(promised).flatten(1).abs().sum(1)
    noise = UNITS_OF_NOISE * torch.finfo(dtype).eps * promised.abs()
    precision = str(dtype).removeprefix("torch.")
    fault = f"constants leave the pixels no more of the score than the rounding of {precision}"
    doubt = doubt_of_images(left < noise, fault)
    return [] if doubt is None else [doubt]


@dataclass(frozen=True)
class RelevanceMap:
    """The maps of a batch, and what the law of conservation says of them.

    Args:
        values: The maps by plane.
        promised: What each should sum to.
        missed: Score minus that sum: 0 where the score is linear in the logits.
    """

    values: Float[Tensor, "b c h w"]
    promised: Float[Tensor, " b"]
    missed: Float[Tensor, " b"]


def relevance_map(
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    relevance_pass: RelevancePass,
) -> RelevanceMap:
    """Relevance of each pixel in each plane; the model must be frozen.

    A score above the logits hands to each logit its value times the slope of the score: of log-odds
    that is what Montavon et al. (2019) do where classes compete. It adds up to the score where this
    is linear in the logits, such as a margin.

    Raises:
        NoRuleError: If the model calls a function without a rule.
    """
    leaves = with_gradient(images)
    outputs, at_score, scores = _outputs_and_scores(model, leaves, relevance_pass)
    with torch.enable_grad():
        of_targets = scores.gather(1, targets[:, None])[:, 0]
        total = of_targets.sum()
    (slopes,) = torch.autograd.grad(total, at_score)
    relevance = slopes * at_score.detach()
    (of_pixels,) = torch.autograd.grad(outputs, leaves, relevance)
    missed = of_targets.detach() - relevance.sum(1)
    return RelevanceMap(of_pixels, relevance.sum(1).to(images.dtype), missed)


def _outputs_and_scores(
    model: Model, leaves: Float[Tensor, "b c h w"], relevance_pass: RelevancePass
) -> tuple[Tensor, Tensor, Tensor]:
    """What the network answers under the rules, the same as a leaf, and the scores of that leaf."""
    rules = relevance_pass.rules()
    ends: list[tuple[Tensor, Tensor]] = []

    def end_of_network(outputs: Tensor) -> Tensor:
        """From here on is the score, which has a gradient and no rules."""
        rules.ended = True
        relevance_pass.hidden = name_hidden(rules.graph.hidden_nodes(outputs))
        ends.append((outputs, outputs.detach().requires_grad_()))
        return ends[-1][1]

    def run(pixels: Float[Tensor, "b c h w"]) -> Tensor:
        relevance_pass.note_pixels(pixels)
        has_score = isinstance(model, Scored) and not model.score.of_one_model
        network = model.model if has_score else None
        if not isinstance(network, nn.Module):
            return end_of_network(model(pixels))
        handle = network.register_forward_hook(lambda *called: end_of_network(called[-1]))
        try:
            return model(pixels)
        finally:
            handle.remove()

    scores = run_under(rules, run, leaves)
    return *ends[-1], scores
