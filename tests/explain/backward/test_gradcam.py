import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam
from small_transformers import (
    SIDE_PX,
    dinov2_with_registers,
    eva_with_gates,
    maxvit,
    small_transformer,
    swin,
    vit,
)
from torch import nn

from cellxai.explain.backward.default_layer import default_layer, run_layers
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.layout import TokenLayout
from cellxai.explain.base import Context
from cellxai.explain.cost import attribute_with_cost


def test_it_equals_the_raw_captum_call_at_the_last_spatial_convolution(
    net, images, targets, context
):
    raw = LayerGradCam(net, net[2]).attribute(images, targets)
    expected = LayerAttribution.interpolate(raw, (16, 16), "bilinear")[:, 0].detach()
    values = GradCam().attribute(net, images, targets, context).values
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-6)


def test_it_equals_the_papers_equations_by_autograd(net, images, targets, context):
    activations = net[:3](images).detach().requires_grad_()
    logits = net[3:](activations).gather(1, targets[:, None])
    (gradients,) = torch.autograd.grad(logits.sum(), activations)
    cam = (gradients.mean((2, 3), keepdim=True) * activations).sum(1, keepdim=True).detach()
    expected = nn.functional.interpolate(cam, (16, 16), mode="bilinear")[:, 0]
    values = GradCam(layer="2").attribute(net, images, targets, context).values
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-6)


def test_the_last_convolution_is_the_last_to_run_not_the_last_to_be_defined(images):
    class Crossed(nn.Module):
        def __init__(self):
            super().__init__()
            self.second = nn.Conv2d(4, 2, 3)
            self.first = nn.Conv2d(3, 4, 3)

        def forward(self, images):
            return self.second(self.first(images)).mean((2, 3))

    crossed = Crossed()
    assert default_layer(crossed, images) is crossed.second


def test_an_activation_that_works_in_place_changes_nothing(images, targets, context):
    torch.manual_seed(0)
    convolution, head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)
    nets = [
        nn.Sequential(
            convolution, nn.ReLU(inplace), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head
        ).eval()
        for inplace in (False, True)
    ]
    plain, in_place = (GradCam().attribute(net, images, targets, context).values for net in nets)
    torch.testing.assert_close(in_place, plain)


def test_frozen_parameters_are_no_obstacle(net, images, targets, context):
    expected = GradCam().attribute(net, images, targets, context).values
    net.requires_grad_(False)
    assert torch.equal(GradCam().attribute(net, images, targets, context).values, expected)


def test_it_costs_one_look_for_the_layer_and_one_pass_each_way(net, images, targets, context):
    cost = attribute_with_cost(GradCam(), net, images, targets, context).cost
    assert (cost.forwards, cost.backwards) == (1 + 3, 3)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(768, 3)), "no convolution"),
        (lambda images: images.mean((2, 3)), "torch.nn.Module"),
    ],
)
def test_a_model_without_places_is_unsupported_with_the_reason(
    model, reason, images, targets, context
):
    attribution = GradCam().attribute(model, images, targets, context)
    assert attribution.status == "unsupported"
    assert reason in attribution.reason
    assert attribution.values.isnan().all()


class Transformer(nn.Module):
    """A patch embedding and three blocks on tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.blocks = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])
        self.head = nn.Linear(8, 3)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = tokens + nn.functional.gelu(block(tokens))
        return self.head(tokens.mean(1))


def test_a_patch_embedding_is_no_last_convolution_unless_it_is_named(images, targets, context):
    model = Transformer().eval()
    attribution = GradCam().attribute(model, images, targets, context)
    assert attribution.status == "unsupported"
    assert "'patches', is an embedding: 3 of 4 layers" in attribution.reason
    assert GradCam("patches").attribute(model, images, targets, context).status == "ok"


@pytest.mark.parametrize(
    ("build", "layer"),
    [(vit, "blocks.0"), (dinov2_with_registers, "blocks.0"), (eva_with_gates, "blocks.1"),
     (swin, "norm"), pytest.param(maxvit, "norm", marks=pytest.mark.slow)],
    ids=["class token", "registers", "pooled tokens", "channels last", "channels first"],
)  # fmt: skip
def test_of_a_transformer_it_is_the_last_layer_whose_patches_matter(build, layer):
    """With a class token nothing reads the patches behind the last attention."""
    model, images = small_transformer(build), torch.rand(1, 3, SIDE_PX, SIDE_PX).double()
    assert default_layer(model, images) is model.get_submodule(layer)


def test_class_token_and_registers_are_no_places():
    model, images = small_transformer(dinov2_with_registers), torch.rand(2, 3, SIDE_PX, SIDE_PX)
    images, targets = images.double(), torch.tensor([0, 2])
    tokens = model.blocks[0](model.norm_pre(model._pos_embed(model.patch_embed(images)))).detach()
    scores = model.forward_head(model.norm(model.blocks[1](tokens.requires_grad_())))
    (slopes,) = torch.autograd.grad(scores.gather(1, targets[:, None]).sum(), tokens)
    activations, slopes = tokens.detach()[:, 5:], slopes[:, 5:]
    cam = (activations * slopes.mean(1, keepdim=True)).sum(2).reshape(2, 1, 4, 4)
    expected = nn.functional.interpolate(cam, (SIDE_PX, SIDE_PX), mode="bilinear")[:, 0]
    labels = torch.zeros(2, SIDE_PX, SIDE_PX, dtype=torch.long)
    context = Context(labels, torch.zeros_like(images))
    for explainer in (GradCam(), GradCam("blocks.0")):
        values = explainer.attribute(model, images, targets, context).values
        torch.testing.assert_close(values, expected)


class TokenBehind(nn.Module):
    """A class token that comes after the patches."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.token = nn.Conv2d(3, 8, 4, stride=4), nn.Parameter(torch.randn(1, 1, 8))
        self.joined, self.mixed, self.head = nn.Identity(), nn.Linear(17, 17), nn.Linear(8, 3)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = self.joined(torch.cat([tokens, self.token.expand(len(images), -1, -1)], 1))
        return self.head(self.mixed(tokens.mT).mT[:, -1])


def test_tokens_behind_the_patches_are_found(images):
    runs, *_ = run_layers(TokenBehind(), images[:1])
    layouts = {run.name: run.layout for run in runs}
    assert layouts["joined"] == TokenLayout(4, 4, first=0)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("7.conv", "layer='7.conv' is not in the model; its last is '7'"),
        ("5", r"layer='5' gives shape \[3, 8, 1, 1\], Grad-CAM needs .* larger"),
        ("7", r"layer='7' gives shape \[3, 3\]"),
    ],
)
def test_a_layer_without_places_is_refused_with_the_way_out(
    layer, message, net, images, targets, context
):
    with pytest.raises(ValueError, match=message):
        GradCam(layer).attribute(net, images, targets, context)
