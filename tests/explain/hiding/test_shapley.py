import pytest
import torch
from captum import attr

from cellxai.explain.base import Context
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.hiding.occlusion import FeatureAblation
from cellxai.explain.hiding.shapley import KernelShap, ShapleyValueSampling
from cellxai.explain.seeding import seeded

METHODS = [
    (ShapleyValueSampling(3), lambda net: attr.ShapleyValueSampling(net), 3),
    (KernelShap(30), lambda net: attr.KernelShap(net), 30),
]


@pytest.mark.parametrize(("explainer", "captum", "n_samples"), METHODS)
def test_they_equal_the_raw_captum_call(
    explainer, captum, n_samples, net, images, targets, context
):
    with seeded(images[1], context.seed):
        raw = captum(net).attribute(
            images[1:2], context.baseline[1:2], targets[1:2],
            feature_mask=context.superpixels[1:2, None], n_samples=n_samples,
        )  # fmt: skip
    values = explainer.attribute(net, images, targets, context).values
    torch.testing.assert_close(values[1:2], raw[:, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("explainer", [ShapleyValueSampling(2), KernelShap(40)])
def test_a_linear_model_gets_its_contributions_back(
    explainer, linear, images, targets, context, contributions
):
    attribution = explainer.attribute(linear, images, targets, context)
    torch.testing.assert_close(
        attribution.superpixel_values.double(), contributions, rtol=0, atol=1e-4
    )
    assert attribution.completeness_gap.abs().max() < 1e-4


def test_shapley_values_sum_to_the_change_of_the_score(net, images, targets, context):
    attribution = ShapleyValueSampling(1).attribute(net, images, targets, context)
    with torch.no_grad():
        change = (net(images) - net(context.baseline)).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(attribution.superpixel_values.sum(1), change)
    assert attribution.completeness_gap.abs().max() < 1e-6


@pytest.mark.parametrize("explainer", [ShapleyValueSampling(2), KernelShap(9), FeatureAblation()])
def test_a_single_superpixel_is_worth_the_whole_change(explainer, net, images, targets, context):
    whole = Context(torch.zeros_like(context.superpixels), context.baseline)
    attribution = explainer.attribute(net, images, targets, whole)
    with torch.no_grad():
        change = (net(images) - net(context.baseline)).gather(1, targets[:, None])
    torch.testing.assert_close(attribution.superpixel_values, change)


def test_too_few_coalitions_are_degraded(net, images, targets, context):
    attribution = KernelShap(4).attribute(net, images, targets, context)
    assert (attribution.status, attribution.reason) == (
        "degraded",
        "4 samples for 4 superpixels have no unique answer",
    )


def test_costs_are_what_the_methods_promise(net, images, targets, context):
    shapley = attribute_with_cost(ShapleyValueSampling(5), net, images, targets, context).cost
    kernel = attribute_with_cost(KernelShap(11), net, images, targets, context).cost
    assert shapley.forwards == 3 * (1 + 5 * 4 + 2)  # the baseline, the orders, both ends again
    assert kernel.forwards == 3 * (11 + 2)
    assert max(shapley.batch_size, kernel.batch_size) <= 4
