import weakref
from dataclasses import replace

import pytest
import timm
import torch
from captum import attr
from torch import nn

from cellxai.explain.backward.deeplift import (
    DeepLift,
    DeepLiftShap,
    NoisyBaselines,
    batches_of_pairs,
)
from cellxai.explain.base import Context
from cellxai.explain.completeness import relative_gap
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.superpixels.base import superpixel_means


def change(net, images, targets, context):
    with torch.no_grad():
        return (net(images) - net(context.baseline)).gather(1, targets[:, None])[:, 0]


@pytest.fixture
def averaging_net(relu_net) -> nn.Module:
    """Without the one layer whose rule in Captum is not complete."""
    relu_net[2] = nn.AvgPool2d(2)
    return relu_net


def test_it_equals_the_raw_captum_call_where_captum_is_complete(
    averaging_net, images, targets, context
):
    raw = attr.DeepLift(averaging_net).attribute(images, context.baseline, targets)
    values = DeepLift().attribute(averaging_net, images, targets, context).values
    torch.testing.assert_close(values, raw.sum(1).detach(), rtol=0, atol=1e-6)


def test_the_mean_over_baselines_equals_captums_deepliftshap(
    averaging_net, images, targets, context
):
    baselines = list(NoisyBaselines(images, context, 4, noise=0.2))
    raw = [
        attr.DeepLiftShap(averaging_net).attribute(images[i : i + 1], baselines[i], int(targets[i]))
        for i in range(3)
    ]
    values = DeepLiftShap(4, noise=0.2).attribute(averaging_net, images, targets, context).values
    torch.testing.assert_close(values, torch.cat(raw).sum(1).detach(), rtol=0, atol=1e-6)


def test_silu_gates_batch_norm_and_residuals_keep_it_complete_where_captum_is_not(
    gated_net, images, targets, context
):
    attribution = DeepLift().attribute(gated_net, images, targets, context)
    total = change(gated_net, images, targets, context)
    torch.testing.assert_close(attribution.values.sum((1, 2)), total, rtol=1e-4, atol=1e-5)
    assert attribution.status == "ok"
    raw = attr.DeepLift(gated_net).attribute(images, context.baseline, targets).sum(1).detach()
    assert relative_gap(raw, total).max() > 0.01


def test_a_linear_model_gets_its_contributions_back(
    linear, images, targets, context, contributions
):
    for method in (DeepLift(), DeepLiftShap(2, noise=0.0)):
        values = method.attribute(linear, images, targets, context).values
        per_quarter = torch.stack([superpixel_means(x, context.superpixels[0]) for x in values])
        torch.testing.assert_close(64 * per_quarter.double(), contributions, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("explainer", [DeepLift(), DeepLiftShap(3)])
def test_a_batch_equals_its_images_one_by_one_and_the_network_is_left_alone(
    explainer, gated_net, images, targets, context, maps_alone
):
    before = {name: value.clone() for name, value in gated_net.state_dict().items()}
    together = explainer.attribute(gated_net, images, targets, context).values
    alone = maps_alone(explainer, gated_net)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in gated_net.state_dict().items())
    assert all(parameter.requires_grad for parameter in gated_net.parameters())


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_the_map_over_baselines_is_the_mean_of_the_maps_whatever_the_batch(
    batch_size, gated_net, images, targets, context
):
    baselines = list(NoisyBaselines(images, context, 5, noise=0.1))
    singles = [
        DeepLift().attribute(
            gated_net, images, targets, replace(context, baseline=torch.stack(of_each))
        )
        for of_each in zip(*baselines, strict=True)
    ]
    size = replace(context, batch_size=batch_size)
    attribution = DeepLiftShap(5).attribute(gated_net, images, targets, size)
    expected = torch.stack([single.values for single in singles]).mean(0)
    torch.testing.assert_close(attribution.values, expected, rtol=1e-4, atol=1e-6)
    assert attribution.completeness_gap.abs().max() < 1e-3


def test_the_baselines_of_one_image_are_in_memory_at_a_time(gated_net, images, targets, context):
    alive, most = weakref.WeakSet(), []

    class Counted(NoisyBaselines):
        def __getitem__(self, index):
            drawn = super().__getitem__(index)
            alive.add(drawn.untyped_storage())
            most.append(len(alive))
            return drawn

    baselines = Counted(images.repeat(4, 1, 1, 1), replace(
        context, baseline=context.baseline.repeat(4, 1, 1, 1),
        superpixels=context.superpixels.repeat(4, 1, 1),
    ), 8, 0.1)  # fmt: skip
    pairs = list(batches_of_pairs(baselines, 3))
    assert sum(len(owners) for owners, _ in pairs) == 12 * 8
    assert torch.cat([owners for owners, _ in pairs]).tolist() == sorted([*range(12)] * 8)
    assert max(most) <= 2


def test_passes_are_no_larger_than_the_batch_size(gated_net, images, targets, context):
    assert (
        attribute_with_cost(DeepLiftShap(5), gated_net, images, targets, context).cost.batch_size
        <= 4
    )


def test_a_map_that_misses_is_degraded_with_the_measured_gap(images, targets, context):
    class Forgetful(nn.Module):
        """Overwrites its activations behind the back of whoever follows the calls."""

        def forward(self, x):
            y = x.flatten(1)[:, :3] * 2
            y.data.mul_(5)
            return y.sin()

    attribution = DeepLift().attribute(Forgetful(), images, targets, context)
    assert attribution.status == "degraded"
    assert "completeness is missed by" in attribution.reason


@pytest.mark.parametrize(
    "name", ["tf_efficientnetv2_b0", "resnet18", "mobilenetv2_100", "convnext_atto"]
)
def test_real_architectures_are_complete(name, targets):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3).eval()
    images = torch.rand(2, 3, 64, 64)
    context = Context(torch.zeros(2, 64, 64, dtype=torch.long), torch.zeros_like(images))
    attribution = DeepLift().attribute(model, images, targets[:2], context)
    assert (
        relative_gap(attribution.values, change(model, images, targets[:2], context)).max() < 0.01
    )
    assert attribution.status == "ok"


def test_functions_that_no_rule_sees_are_named(net, images, targets, context):
    """A network that is nearly linear would pass the law of the sum with plain gradients."""
    traced = torch.jit.trace(net, images)
    for model in (traced, nn.Sequential(traced, nn.Identity())):
        attribution = DeepLift().attribute(model, images, targets, context)
        assert attribution.status == "degraded"
        assert "functions are hidden from the rules, in TorchScript" in attribution.reason
        assert "Convolution" in attribution.reason
    assert DeepLift().attribute(net, images, targets, context).status == "ok"
