from dataclasses import replace

import pytest
import torch
from captum import attr

from cellxai.explain.backward.gradients import Saliency, with_gradient
from cellxai.explain.backward.smoothing import GradientShap, SmoothGrad
from cellxai.explain.base import Context
from cellxai.explain.completeness import change_of_score
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.seeding import generator_of, seeded
from cellxai.explain.superpixels.base import superpixel_means


@pytest.mark.parametrize(
    ("statistic", "nt_type"),
    [("mean", "smoothgrad"), ("square", "smoothgrad_sq"), ("variance", "vargrad")],
)
def test_smoothgrad_equals_the_raw_captum_call(statistic, nt_type, net, images, targets, context):
    tunnel = attr.NoiseTunnel(attr.Saliency(net))
    with seeded(images[1], context.seed):
        raw = tunnel.attribute(
            with_gradient(images[1:2]), nt_type=nt_type, nt_samples=6, stdevs=0.2,
            nt_samples_batch_size=4, target=targets[1:2],
        )  # fmt: skip
    values = SmoothGrad(6, 0.2, statistic).attribute(net, images, targets, context).values
    torch.testing.assert_close(values[1:2], raw.sum(1).detach(), rtol=0, atol=1e-6)


def test_without_noise_it_is_saliency(net, images, targets, context):
    smooth = SmoothGrad(3, noise=1e-9).attribute(net, images, targets, context).values
    torch.testing.assert_close(smooth, Saliency().attribute(net, images, targets, context).values)


def test_gradient_shap_agrees_with_captums_where_both_have_many_samples(
    net, images, targets, context
):
    torch.manual_seed(0)
    raw = attr.GradientShap(net).attribute(
        images[1:2], context.baseline[1:2], n_samples=3000, stdevs=0.01, target=targets[1:2]
    )
    values = GradientShap(1000, noise=0.01).attribute(net, images, targets, context).values
    error = (values[1] - raw[0].sum(0)).norm() / values[1].norm()
    assert error < 0.02


def test_gradient_shap_is_the_gradient_at_a_point_of_each_piece_of_the_line(
    net, images, targets, context
):
    values = GradientShap(2, noise=0.0).attribute(net, images, targets, context).values
    generator = generator_of(images[0], context.seed)
    way, total = images[0] - context.baseline[0], 0
    for piece in range(2):
        torch.randn(2, *images[0].shape, generator=generator)  # noise of baseline and image
        position = (piece + torch.rand(1, generator=generator)) / 2
        point = (context.baseline[0] + position * way)[None].requires_grad_()
        (gradient,) = torch.autograd.grad(net(point)[0, targets[0]], point)
        total = total + (gradient[0] * way).sum(0) / 2
    torch.testing.assert_close(values[0], total)


@pytest.mark.parametrize("explainer", [SmoothGrad(11), GradientShap(11)])
def test_the_batch_size_changes_nothing(explainer, net, images, targets, context):
    maps = [
        explainer.attribute(net, images, targets, replace(context, batch_size=size)).values
        for size in (1, 4, 32)
    ]
    for other in maps[1:]:
        torch.testing.assert_close(other, maps[0], rtol=1e-4, atol=1e-6)


def test_too_few_samples_for_completeness_are_degraded(net, images, targets, context):
    for parameter in net.parameters():
        parameter.data.mul_(4)
    attribution = GradientShap(1).attribute(net, images, targets, context)
    change = change_of_score(net, images, context.baseline, targets, 32)
    gap = attribution.values.sum((1, 2)) - change
    torch.testing.assert_close(attribution.completeness_gap, gap)
    assert (gap.abs() > 0.05 * change.abs()).any()
    assert attribution.status == "degraded"
    assert "completeness is missed" in attribution.reason


def test_gradient_shap_of_a_linear_model_is_its_contributions(
    linear, images, targets, context, contributions
):
    attribution = GradientShap(3, noise=0.0).attribute(linear, images, targets, context)
    quarters = torch.stack(
        [superpixel_means(x, context.superpixels[0]) for x in attribution.values]
    )
    torch.testing.assert_close(64 * quarters.double(), contributions, rtol=1e-4, atol=1e-5)
    assert attribution.completeness_gap.abs().max() < 1e-5


@pytest.mark.parametrize("explainer", [SmoothGrad(5), GradientShap(6)])
def test_a_batch_equals_its_images_one_by_one_and_a_seed_itself(
    explainer, net, images, targets, context, maps_alone
):
    before = torch.get_rng_state()
    together = explainer.attribute(net, images, targets, context).values
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(explainer.attribute(net, images, targets, context).values, together)
    alone = maps_alone(explainer, net, batch_size=4)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    other = Context(context.superpixels, context.baseline, seed=8, batch_size=4)
    assert not torch.equal(explainer.attribute(net, images, targets, other).values, together)


@pytest.mark.parametrize("explainer", [SmoothGrad(11), GradientShap(11)])
def test_passes_are_no_larger_than_the_batch_size(explainer, net, images, targets, context):
    cost = attribute_with_cost(explainer, net, images, targets, context).cost
    assert cost.batch_size <= 4
    assert cost.backwards == 3 * 11
