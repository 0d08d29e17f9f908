import pytest
import torch
from captum import attr

from cellxai.explain.backward.gradients import InputXGradient, IntegratedGradients, Saliency
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.superpixels.base import superpixel_means


def test_saliency_equals_the_gradient_by_autograd(net, images, targets, context):
    leaf = images.clone().requires_grad_()
    net(leaf).gather(1, targets[:, None]).sum().backward()
    values = Saliency().attribute(net, images, targets, context).values
    torch.testing.assert_close(values, leaf.grad.abs().sum(1), rtol=0, atol=1e-6)


def test_input_x_gradient_equals_the_raw_captum_call(net, images, targets, context):
    raw = attr.InputXGradient(net).attribute(images.clone().requires_grad_(), target=targets)
    values = InputXGradient().attribute(net, images, targets, context).values
    torch.testing.assert_close(values, raw.sum(1).detach(), rtol=0, atol=1e-6)


def test_integrated_gradients_equal_the_raw_captum_call(net, images, targets, context):
    raw = attr.IntegratedGradients(net).attribute(images, context.baseline, targets, n_steps=20)
    values = IntegratedGradients(n_steps=20).attribute(net, images, targets, context).values
    torch.testing.assert_close(values, raw.sum(1).detach().to(values), rtol=0, atol=1e-6)


def test_integrated_gradients_sum_to_the_change_in_target_logit(net, images, targets, context):
    attribution = IntegratedGradients(n_steps=50).attribute(net, images, targets, context)
    with torch.no_grad():
        change = (net(images) - net(context.baseline)).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(attribution.values.sum((1, 2)), change, rtol=0, atol=1e-5)
    assert attribution.completeness_gap.abs().max() < 1e-5


def test_the_reported_gap_is_what_the_map_misses(net, images, targets, context):
    attribution = IntegratedGradients(n_steps=1).attribute(net, 9 * images, targets, context)
    with torch.no_grad():
        change = (net(9 * images) - net(context.baseline)).gather(1, targets[:, None])[:, 0]
    missed = attribution.values.sum((1, 2)) - change
    torch.testing.assert_close(attribution.completeness_gap, missed, rtol=0, atol=1e-5)
    assert missed.abs().max() > 1e-3
    assert attribution.status == "degraded"
    assert "completeness is missed by" in attribution.reason


def test_integrated_gradients_of_a_linear_model_are_its_contributions(
    linear, images, targets, context, contributions
):
    values = IntegratedGradients(n_steps=3).attribute(linear, images, targets, context).values
    per_quarter = 64 * torch.stack([superpixel_means(x, context.superpixels[0]) for x in values])
    torch.testing.assert_close(per_quarter.double(), contributions, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("explainer", [Saliency(), InputXGradient(), IntegratedGradients(10)])
def test_a_batch_equals_its_images_one_by_one(explainer, net, images, targets, context, maps_alone):
    together = explainer.attribute(net, images, targets, context).values
    alone = maps_alone(explainer, net)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("explainer", [Saliency(), InputXGradient(), IntegratedGradients(3)])
def test_the_callers_images_and_warnings_are_left_alone(
    explainer, net, images, targets, context, recwarn
):
    explainer.attribute(net, images, targets, context)
    assert not images.requires_grad
    assert images.grad is None
    assert [str(warning.message) for warning in recwarn] == []


def test_costs_are_what_the_methods_promise(net, images, targets, context):
    saliency = attribute_with_cost(Saliency(), net, images, targets, context).cost
    integrated = attribute_with_cost(
        IntegratedGradients(n_steps=10), net, images, targets, context
    ).cost
    assert (saliency.forwards, saliency.backwards) == (3, 3)
    # Two more forwards an image, at both ends of the line, tell the completeness gap.
    assert (integrated.forwards, integrated.backwards) == (3 * (10 + 2), 3 * 10)


def test_an_integral_without_steps_is_refused():
    with pytest.raises(ValueError, match="n_steps=0"):
        IntegratedGradients(n_steps=0)
