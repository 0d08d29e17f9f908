import pytest
import torch
from captum import attr

from cellxai.explain.backward.deeplift import noisy_baselines
from cellxai.explain.backward.gradients import Saliency, with_gradient
from cellxai.explain.backward.smoothing import GradientShap, SmoothGrad
from cellxai.explain.base import Context
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.seeding import seeded
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


def test_gradient_shap_equals_the_raw_captum_call(net, images, targets, context):
    baselines = noisy_baselines(images, context, 4, noise=0.1)[4:8]
    with seeded(images[1], context.seed):
        raw = attr.GradientShap(net).attribute(
            images[1:2], baselines, n_samples=4, stdevs=0.1, target=targets[1:2]
        )
    values = GradientShap(4, noise=0.1).attribute(net, images, targets, context).values
    torch.testing.assert_close(values[1:2], raw.sum(1).detach(), rtol=0, atol=1e-6)


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
