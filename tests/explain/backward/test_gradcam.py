import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import nn

from cellxai.explain.backward.default_layer import default_layer
from cellxai.explain.backward.gradcam import GradCam
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
