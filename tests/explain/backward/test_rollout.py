import pytest
import torch
from small_transformers import (
    SIDE_PX,
    convnext_v1,
    dinov2_with_registers,
    eva_with_gates,
    small_transformer,
    swin,
    vit,
)
from torch import nn
from torch.nn import functional as F

from cellxai.explain.backward.attention_maps import attention_and_values
from cellxai.explain.backward.rollout import AttentionRollout, GradientRollout
from cellxai.explain.base import Context
from cellxai.explain.cost import attribute_with_cost


def question():
    images = torch.rand(2, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1)).double()
    labels = torch.zeros(2, SIDE_PX, SIDE_PX, dtype=torch.long)
    return images, torch.tensor([0, 2]), Context(labels, torch.zeros_like(images))


def by_hooks(model, images, target, first_patch, gradient_weighted):
    """The papers' matrices of one image, in loops, from attention that timm's layers hand on."""
    kept = []
    handles = [
        block.attn.attn_drop.register_forward_hook(lambda _, __, a: kept.append(a) or a)
        for block in model.blocks
    ]
    for block in model.blocks:
        block.attn.fused_attn = False
    scores = model(images.clone().requires_grad_())
    gradients = torch.autograd.grad(scores[0, target], kept)
    for handle in handles:
        handle.remove()
    n = kept[0].shape[-1]
    mixed = torch.eye(n, dtype=torch.float64)
    for attention, gradient in zip(kept, gradients, strict=True):
        heads = [
            (a * g).clamp(min=0) if gradient_weighted else a
            for a, g in zip(attention[0].detach(), gradient[0], strict=True)
        ]
        mean = sum(heads) / len(heads)
        stays = torch.eye(n, dtype=torch.float64)
        mixed = (stays + mean) @ mixed if gradient_weighted else (0.5 * stays + 0.5 * mean) @ mixed
    side = int((n - first_patch) ** 0.5)
    return mixed[0, first_patch:].reshape(1, 1, side, side)


@pytest.mark.parametrize("build", [vit, dinov2_with_registers], ids=lambda build: build.__name__)
@pytest.mark.parametrize(
    "explainer", [GradientRollout(), AttentionRollout()], ids=["gradient", "plain"]
)
def test_fused_attention_is_followed_as_the_papers_say(build, explainer):
    model, (images, targets, context) = small_transformer(build), question()
    attribution = explainer.attribute(model, images, targets, context)
    assert attribution.status == "ok"
    for row, target in enumerate(targets):
        first = model.num_prefix_tokens
        weighted = isinstance(explainer, GradientRollout)
        coarse = by_hooks(model, images[row : row + 1], target, first, weighted)
        expected = F.interpolate(coarse, (SIDE_PX, SIDE_PX), mode="bilinear")[0, 0]
        torch.testing.assert_close(attribution.values[row], expected)


def test_attention_in_steps_is_torchs_own():
    q, k, v = torch.randn(3, 2, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    few = k[:, :2], v[:, :2]
    mask, bias = torch.rand(5, 5) < 0.7, torch.randn(5, 5)
    mask[:, 0] = True
    for args, named in [
        ((q, k, v), {}),
        ((q, k, v), {"attn_mask": mask}),
        ((q, k, v, bias), {"scale": 0.3}),
        ((q, k, v), {"is_causal": True}),
        ((q, *few), {"enable_gqa": True}),
    ]:
        attention, values = attention_and_values(*args, **named)
        expected = F.scaled_dot_product_attention(*args, **named)
        torch.testing.assert_close(attention @ values, expected)
        torch.testing.assert_close(attention.sum(-1), torch.ones(2, 4, 5))


def test_attention_alone_is_the_same_for_every_class_and_weighted_it_is_not():
    model, (images, targets, context) = small_transformer(vit), question()
    for explainer, is_same in ((AttentionRollout(), True), (GradientRollout(), False)):
        maps = [
            explainer.attribute(model, images, labels, context).values
            for labels in (targets, 1 - targets.clamp(max=1))
        ]
        assert torch.equal(*maps) == is_same
        assert (maps[0] >= 0).all()


def test_of_pooled_tokens_all_are_read():
    model, (images, targets, context) = small_transformer(eva_with_gates), question()
    attribution = attribute_with_cost(GradientRollout(), model, images, targets, context)
    assert attribution.status == "ok"
    assert attribution.cost.forwards == 3  # one look for the grid
    assert attribution.values.std() > 0


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (small_transformer(swin), "got 16 tokens a time (windows)"),
        (small_transformer(convnext_v1), "the model calls no softmax over tokens"),
        (lambda images: images.mean((2, 3)), "torch.nn.Module"),
    ],
    ids=["windows", "convolutions", "function"],
)
def test_without_attention_among_all_tokens_it_is_unsupported(model, reason):
    images, targets, context = question()
    attribution = GradientRollout().attribute(model, images, targets, context)
    assert attribution.status == "unsupported"
    assert reason in attribution.reason
    assert attribution.values.isnan().all()


class Narrowing(nn.Module):
    """Attention among 16 patches, then of one query over them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.norm, self.head = nn.Conv2d(3, 6, 8, 8), nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, images):
        tokens = self.norm(self.embed(images).flatten(2).transpose(1, 2))[:, None]
        tokens = F.scaled_dot_product_attention(tokens, tokens, tokens)
        pooled = F.scaled_dot_product_attention(tokens[:, :, :1], tokens, tokens)
        return self.head(pooled[:, 0, 0])


def test_attention_of_another_shape_is_unsupported_by_its_shape():
    images, targets, context = question()
    attribution = GradientRollout().attribute(Narrowing().double(), images, targets, context)
    assert attribution.status == "unsupported"
    assert "got 16 tokens and then 1 by 16" in attribution.reason
