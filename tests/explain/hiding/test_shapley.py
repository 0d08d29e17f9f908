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
    found = explainer.attribute(linear, images, targets, context)
    torch.testing.assert_close(found.superpixel_values.double(), contributions, rtol=0, atol=1e-4)
    assert found.completeness_gap.abs().max() < 1e-4


def test_shapley_values_sum_to_the_change_of_the_score(net, images, targets, context):
    found = ShapleyValueSampling(1).attribute(net, images, targets, context)
    with torch.no_grad():
        change = (net(images) - net(context.baseline)).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(found.superpixel_values.sum(1), change)
    assert found.completeness_gap.abs().max() < 1e-6


@pytest.mark.parametrize("explainer", [ShapleyValueSampling(2), KernelShap(9), FeatureAblation()])
def test_a_single_superpixel_is_worth_the_whole_change(explainer, net, images, targets, context):
    whole = Context(torch.zeros_like(context.superpixels), context.baseline)
    found = explainer.attribute(net, images, targets, whole)
    with torch.no_grad():
        change = (net(images) - net(context.baseline)).gather(1, targets[:, None])
    torch.testing.assert_close(found.superpixel_values, change)


@pytest.mark.parametrize("explainer", [ShapleyValueSampling(2), KernelShap(20)])
def test_labels_of_any_numbers_batches_and_seeds_give_the_same(
    explainer, net, images, targets, context
):
    together = explainer.attribute(net, images, targets, context).values
    gaps = Context(3 + 5 * context.superpixels, context.baseline, seed=7, batch_size=4)
    assert torch.equal(explainer.attribute(net, images, targets, gaps).values, together)
    for i in range(3):
        one = slice(i, i + 1)
        alone_context = Context(context.superpixels[one], context.baseline[one], seed=7)
        alone = explainer.attribute(net, images[one], targets[one], alone_context).values
        torch.testing.assert_close(together[one], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("explainer", [ShapleyValueSampling(2), KernelShap(20)])
def test_an_image_without_finite_scores_is_nan_and_the_others_are_not(
    explainer, net, images, targets, context
):
    def broken(x):
        return net(x).masked_fill((x[:, 0, 0, 0] == images[1, 0, 0, 0])[:, None], torch.nan)

    values = explainer.attribute(broken, images, targets, context).values
    assert values.isnan().all((1, 2)).tolist() == [False, True, False]


def test_too_few_coalitions_are_degraded(net, images, targets, context):
    found = KernelShap(4).attribute(net, images, targets, context)
    assert (found.status, found.reason) == (
        "degraded",
        "4 samples for 4 superpixels have no unique answer",
    )


def test_costs_are_what_the_methods_promise(net, images, targets, context):
    shapley = attribute_with_cost(ShapleyValueSampling(5), net, images, targets, context).cost
    kernel = attribute_with_cost(KernelShap(11), net, images, targets, context).cost
    assert shapley.forwards == 3 * (1 + 5 * 4 + 2)  # the baseline, the orders, both ends again
    assert kernel.forwards == 3 * (11 + 2)
    assert max(shapley.batch_size, kernel.batch_size) <= 4
