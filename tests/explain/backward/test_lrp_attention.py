"""AttnLRP against modified gradients, loops, and the same attention in other words."""

from functools import partial

import pytest
import timm
import torch
from modified_gradients import relevance_by_gradients
from small_transformers import SIDE_PX, TRANSFORMERS, maxvit, small_transformer, swin, vit
from torch import nn
from torch.nn import functional as F

from cellxai.explain.backward.lrp import LRP
from cellxai.explain.backward.lrp_absorbed import per_image, shares_in_words
from cellxai.explain.backward.lrp_attention import softmax_shares
from cellxai.explain.backward.lrp_rules import RelevancePass
from cellxai.explain.backward.lrp_spreads import Layer, composite_of, gamma_spread
from cellxai.explain.backward.rules import Call, run_under
from cellxai.explain.base import Context

LONGER = (maxvit, swin)  # a second each: many small windows
BUILDERS = pytest.mark.parametrize(
    "build",
    [
        pytest.param(build, id=build.__name__, marks=[pytest.mark.slow] * (build in LONGER))
        for build in TRANSFORMERS
    ],
)
VIT_AND_SWIN = pytest.mark.parametrize(
    "build", [pytest.param(vit, id="vit"), pytest.param(swin, id="swin", marks=pytest.mark.slow)]
)


def question(side_px=SIDE_PX, dtype=torch.float64):
    images = torch.rand(2, 3, side_px, side_px, generator=torch.Generator().manual_seed(1))
    labels = torch.zeros(2, side_px, side_px, dtype=torch.long)
    images = images.to(dtype)
    return images, torch.tensor([0, 2]), Context(labels, torch.zeros_like(images))


def assert_same_maps(actual, expected, tolerance=1e-4):
    assert (actual - expected).norm() <= tolerance * expected.norm()


@BUILDERS
def test_it_equals_gradients_with_constant_factors(build):
    """Rules hand on relevance, the reference gradients; what constants take makes up the score."""
    model, (images, targets, context) = small_transformer(build), question()
    expected = relevance_by_gradients(model, images, targets)
    attribution = LRP("attention").attribute(model, images, targets, context)
    assert_same_maps(attribution.plane_values, expected, 1e-9)
    scores = model(images).gather(1, targets[:, None])[:, 0]
    assert attribution.status == "ok"
    assert (attribution.completeness_gap.abs() <= 1e-4 * scores.abs()).all()


def test_in_single_precision_it_equals_them_too():
    model, (images, targets, context) = small_transformer(vit), question()
    expected = relevance_by_gradients(model, images, targets)
    single = LRP("attention").attribute(model.float(), images.float(), targets, context)
    assert_same_maps(single.plane_values.double(), expected)


@VIT_AND_SWIN
@pytest.mark.parametrize("composite", ["attention-gamma", "epsilon-plus"])
def test_the_map_and_what_constants_take_are_the_score(build, composite):
    model, (images, targets, context) = small_transformer(build), question()
    attribution = LRP(composite).attribute(model, images, targets, context)
    scores = model(images).gather(1, targets[:, None])[:, 0]
    assert attribution.status == "ok"
    assert (attribution.completeness_gap.abs() <= 1e-4 * scores.abs()).all()


@VIT_AND_SWIN
def test_a_batch_equals_its_images_one_by_one(build):
    model, (images, targets, context) = small_transformer(build), question()
    together = LRP("attention").attribute(model, images, targets, context)
    for row in range(2):
        part = Context(context.superpixels[row : row + 1], context.baseline[row : row + 1])
        one = slice(row, row + 1)
        alone = LRP("attention").attribute(model, images[one], targets[one], part)
        assert_same_maps(together.values[one], alone.values)
        torch.testing.assert_close(
            together.completeness_gap[one], alone.completeness_gap, rtol=0, atol=1e-6
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side_px"),
    [
        ("vit_tiny_patch16_224", 224), ("deit_small_patch16_224", 64),
        ("vit_small_patch14_reg4_dinov2", 56), ("vit_small_patch16_dinov3", 64),
        ("swin_tiny_patch4_window7_224", 64), ("convnextv2_atto", 64),
        ("maxvit_rmlp_pico_rw_256", 256),
    ],
)  # fmt: skip
def test_real_transformers_conserve_relevance_and_equal_gradients(name, side_px):
    torch.manual_seed(0)
    sized = {} if "convnext" in name or "maxvit" in name else {"img_size": side_px}
    model = timm.create_model(name, num_classes=3, **sized).eval()
    images, targets, context = question(side_px, torch.float32)
    attribution = LRP("attention").attribute(model, images, targets, context)
    scores = model(images).gather(1, targets[:, None])[:, 0]
    assert attribution.status == "ok"
    assert (attribution.completeness_gap.abs() <= 0.05 * scores.abs()).all()
    expected = relevance_by_gradients(model, images, targets)
    assert_same_maps(attribution.plane_values, expected)


def test_softmax_equals_the_formula_of_the_paper():
    x = torch.randn(2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    relevance, s = x.flip(1), x.softmax(1)
    expected = torch.zeros_like(x)
    for row in range(2):
        for i in range(5):
            expected[row, i] = x[row, i] * (relevance[row, i] - s[row, i] * relevance[row].sum())
    for call in (Call("softmax", torch.softmax, (x, 1), {}),
                 Call("softmax", torch.softmax, (x,), {"dim": -1})):  # fmt: skip
        torch.testing.assert_close(softmax_shares(call, relevance, [x], s)[0], expected)


class Attention(nn.Module):
    """Attention over 16 places, with a mask that hides some, in several words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
        torch.manual_seed(0)
        self.embed, self.qkv, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 24), nn.Linear(8, 3)
        bias = torch.randn(16, 16)
        self.register_buffer("bias", bias.masked_fill(bias > 1.5, -torch.inf))

    def forward(self, images):
        tokens = self.embed(images).flatten(2).transpose(1, 2)
        if "layer" in self.words:
            return self.head(self.as_layer(tokens).mean(1))
        q, k, v = self.qkv(tokens).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4).unbind(0)
        return self.head(self.attend(q, k, v).transpose(1, 2).flatten(2).mean(1))

    def as_layer(self, tokens):
        """The same as torch's own layer, whose projection behind the heads changes nothing."""
        layer = nn.MultiheadAttention(8, 2, batch_first=True).to(tokens)
        layer.in_proj_weight.data, layer.in_proj_bias.data = self.qkv.weight, self.qkv.bias
        layer.out_proj.weight.data = torch.eye(8).to(tokens)
        mask, with_weights = self.bias.to(tokens), self.words == "layer with weights"
        layer.requires_grad_(False)
        return layer(tokens, tokens, tokens, need_weights=with_weights, attn_mask=mask)[0]

    def attend(self, q, k, v):
        if self.words == "fused":
            return F.scaled_dot_product_attention(q, k, v, self.bias.to(q.dtype))
        if self.words == "fused, named":
            mask = self.bias.to(q.dtype)
            return F.scaled_dot_product_attention(query=q, key=k, value=v, attn_mask=mask)
        if self.words == "einsum":
            logits = torch.einsum("bhnd,bhmd->bhnm", q, k) / 2 + self.bias
            return torch.einsum("bhnm,bhmd->bhnd", logits.softmax(-1), v)
        if self.words == "bmm":
            q, k, v = q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)
            logits = torch.bmm(q * 0.5, k.transpose(1, 2)) + self.bias
            return torch.bmm(F.softmax(logits, dim=2), v).unflatten(0, (-1, 2))
        logits = (q / 2) @ k.transpose(-2, -1)
        return logits.add_(self.bias).softmax(dim=-1) @ v


def test_attention_is_explained_alike_in_whatever_words():
    images, targets, context = question(16)
    expected = relevance_by_gradients(Attention("fused").double(), images, targets)
    words_of_attention = ("fused", "fused, named", "einsum", "bmm", "in place")
    for words in (*words_of_attention, "layer", "layer with weights"):
        model = Attention(words).double()
        attribution = LRP("attention").attribute(model, images, targets, context)
        assert attribution.status == "ok"
        assert_same_maps(attribution.plane_values, expected)


def test_what_tokens_positions_and_biases_take_is_told():
    """The class token alone decides at the head of a network without attention."""
    token, position = torch.full((1, 1, 3), 2.0), torch.ones(1, 5, 3)

    def model(images):
        patches = F.avg_pool2d(images, 8).flatten(2).transpose(1, 2)
        tokens = torch.cat([token.expand(len(images), -1, -1), patches], 1)
        return F.linear((tokens + position).sum(1), torch.eye(3), torch.full((3,), 4.0))

    images, targets, context = question(16, torch.float32)
    with torch.no_grad():
        promised = model(images).gather(1, targets[:, None])[:, 0]
    attribution = LRP("attention").attribute(model, images, targets, context)
    torch.testing.assert_close(attribution.values.sum((1, 2)), promised - 2 - 5 - 4)
    relevance_pass = RelevancePass(images, composite_of("attention"))
    scores = run_under(relevance_pass.rules(), model, leaf := images.clone().requires_grad_())
    torch.autograd.grad(scores, leaf, scores.detach() * F.one_hot(targets, 3))
    taken = {kind: values.tolist() for kind, values in relevance_pass.absorbed.by_kind.items()}
    expected = {"biases": 4, "position embedding": 5, "class token and registers": 2}
    assert taken == {kind: pytest.approx([x, x], rel=1e-5) for kind, x in expected.items()}
    assert "of the score, constants take: position embedding" in attribution.reason


def test_shares_are_those_of_all_images_together():
    taken = {"biases": torch.tensor([1.0, 1.0]), "padding": torch.tensor([0.0, 0.001])}
    assert shares_in_words(taken, torch.tensor([2.0, 8.0])) == ["biases 20%"]


def test_windows_belong_to_the_image_that_they_are_of():
    windows = torch.tensor([1.0, 2.0, 10.0, 20.0])[:, None]
    assert per_image(windows, 2).tolist() == [3, 30]
    assert per_image(windows[:3], 2).tolist() == [6.5, 6.5]


def test_gamma_with_a_bias_that_absorbs_is_gamma_without_one_when_there_is_none():
    x, weight = torch.randn(3, 5), torch.randn(4, 5)
    relevance, layer = torch.randn(3, 4), Layer(weight, None, F.linear)
    absorbing = partial(gamma_spread, bias_absorbs=True)
    expected = gamma_spread(relevance, x, layer)
    torch.testing.assert_close(absorbing(relevance, x, layer), expected)
    biased = Layer(weight, torch.ones(4), F.linear)
    assert not torch.allclose(absorbing(relevance, x, biased).sum(1), relevance.sum(1))


def test_a_vit_in_half_precision_has_nearly_the_same_map():
    model = small_transformer(vit).float()
    images, targets, context = question(dtype=torch.float32)
    single = LRP("attention").attribute(model, images, targets, context)
    half_images = images.to(torch.bfloat16)
    half = LRP("attention").attribute(model.bfloat16(), half_images, targets, context)
    assert_same_maps(half.values.float(), single.values, 0.3)
