import pytest
import torch
from captum import attr
from torch import nn

from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import with_gradient
from cellxai.explain.backward.guided import Deconvolution, GuidedBackprop, GuidedGradCam

METHODS = [
    (GuidedBackprop(), attr.GuidedBackprop),
    (Deconvolution(), attr.Deconvolution),
    (GuidedGradCam("3"), lambda net: attr.GuidedGradCam(net, net[3])),
]


@pytest.mark.parametrize(("explainer", "captum"), METHODS)
@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_they_equal_the_raw_captum_call_on_relu_layers(
    explainer, captum, relu_net, images, targets, context
):
    raw = captum(relu_net).attribute(with_gradient(images), target=targets)
    attribution = explainer.attribute(relu_net, images, targets, context)
    torch.testing.assert_close(attribution.values, raw.sum(1).detach(), rtol=0, atol=1e-6)
    assert attribution.status == "ok"


@pytest.mark.parametrize("explainer", [GuidedBackprop(), Deconvolution()])
def test_relus_that_are_called_and_no_layers_count_as_well(
    explainer, relu_net, images, targets, context
):
    def called(x):
        x = nn.functional.max_pool2d(torch.relu_(relu_net[0](x)), 2)
        return relu_net[6](relu_net[3](x).relu().flatten(1))

    by_layers = explainer.attribute(relu_net, images, targets, context).values
    by_calls = explainer.attribute(called, images, targets, context).values
    torch.testing.assert_close(by_calls, by_layers)


@pytest.mark.parametrize("explainer", [GuidedBackprop(), Deconvolution()])
def test_without_a_relu_it_is_the_plain_gradient_and_says_so(
    explainer, net, images, targets, context
):
    leaf = images.clone().requires_grad_()
    net(leaf).gather(1, targets[:, None]).sum().backward()
    attribution = explainer.attribute(net, images, targets, context)
    torch.testing.assert_close(attribution.values, leaf.grad.sum(1))
    assert attribution.status == "degraded"
    assert "2 of 2 activations are not a ReLU (silu)" in attribution.reason
    assert attribution.reason.endswith("differs from the gradient's by 0%")


def test_activations_in_place_are_the_plain_gradient_too(gated_net, images, targets, context):
    leaf = images.clone().requires_grad_()
    gated_net(leaf).gather(1, targets[:, None]).sum().backward()
    attribution = GuidedBackprop().attribute(gated_net, images, targets, context)
    torch.testing.assert_close(attribution.values, leaf.grad.sum(1))
    assert "6 of 6 activations are not a ReLU (sigmoid, silu)" in attribution.reason
    assert attribution.reason.endswith("differs from the gradient's by 0%")


def test_a_single_relu_among_others_is_degraded_with_the_measured_difference(
    images, targets, context
):
    torch.manual_seed(0)
    mixed = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.SiLU(), nn.Flatten(),
        nn.Linear(4 * 144, 3),
    ).eval()  # fmt: skip
    attribution = GuidedBackprop().attribute(mixed, images, targets, context)
    plain = torch.autograd.functional.jacobian(
        lambda x: mixed(x).gather(1, targets[:, None]).sum(), images
    ).sum(1)
    share = (attribution.values - plain).norm() / plain.norm()
    assert share > 0.1
    assert attribution.reason.endswith(f"differs from the gradient's by {share:.0%}")


def test_guided_grad_cam_is_the_product_of_its_parts(relu_net, images, targets, context):
    coarse = torch.stack(GradCam("3").coarse_maps(relu_net, images, targets, 4).maps).clamp(min=0)
    upsampled = nn.functional.interpolate(coarse[:, None], (16, 16))[:, 0]
    guided = GuidedBackprop().attribute(relu_net, images, targets, context).values
    values = GuidedGradCam("3").attribute(relu_net, images, targets, context).values
    torch.testing.assert_close(values, guided * upsampled)


def test_guided_grad_cam_needs_layers(images, targets, context):
    attribution = GuidedGradCam().attribute(lambda x: x.mean((2, 3)), images, targets, context)
    assert (attribution.status, "torch.nn.Module" in attribution.reason) == ("unsupported", True)


@pytest.mark.parametrize("explainer", [GuidedBackprop(), Deconvolution(), GuidedGradCam()])
def test_a_batch_equals_its_images_one_by_one(
    explainer, relu_net, images, targets, context, maps_alone
):
    together = explainer.attribute(relu_net, images, targets, context).values
    alone = maps_alone(explainer, relu_net)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
