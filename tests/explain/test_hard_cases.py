"""Every explainer on what no explainer is made for: a named status, never a crash."""

import pytest
import torch
from attention_only import explainers_of_any_network
from torch import nn

from cellxai.explain.base import Context
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.score import Probability, Scored

EXPLAINERS = explainers_of_any_network(n_samples=40)
CONTROLS = {"random", "centre", "edges", "image"}
ASKING = sorted(set(EXPLAINERS) - CONTROLS)


def constant(network: nn.Module) -> nn.Module:
    """The network with a last layer that answers 1 to everything."""
    nn.init.zeros_(network[-1].weight)
    nn.init.ones_(network[-1].bias)
    return network


@pytest.mark.parametrize("name", ASKING)
def test_a_constant_model_gives_zeros_and_says_so(name, net, images, targets, context):
    attribution = attribute_with_cost(EXPLAINERS[name], constant(net), images, targets, context)
    torch.testing.assert_close(attribution.values, torch.zeros(3, 16, 16), rtol=0, atol=1e-6)
    assert attribution.status == "degraded"


@pytest.mark.parametrize("name", ASKING)
def test_scores_that_are_no_numbers_are_named(name, net, images, targets, context):
    net[-1].bias.data.fill_(torch.nan)
    net[-1].weight.data.fill_(torch.nan)
    attribution = attribute_with_cost(EXPLAINERS[name], net, images, targets, context)
    assert attribution.values.isnan().all()
    assert attribution.status == "unsupported"
    assert "finite number" in attribution.reason


@pytest.mark.parametrize("name", sorted(EXPLAINERS))
def test_one_superpixel_and_a_black_image_are_no_crash(name, net, images, targets, context):
    whole = Context(torch.zeros_like(context.superpixels), context.baseline, seed=7, batch_size=4)
    attribution = attribute_with_cost(
        EXPLAINERS[name], net, torch.zeros_like(images), targets, whole
    )
    assert attribution.values.shape == (3, 16, 16)
    assert attribution.values.isfinite().all()


@pytest.mark.parametrize("name", ["deeplift", "integrated-gradients", "smoothgrad", "kernel-shap"])
def test_a_probability_is_explained_like_a_logit(name, net, images, targets, context):
    attribution = attribute_with_cost(
        EXPLAINERS[name], Scored(net, Probability()), images, targets, context
    )
    assert attribution.status == "ok"
    if attribution.completeness_gap is not None:
        assert attribution.completeness_gap.abs().max() < 1e-4


@pytest.mark.parametrize("name", sorted(EXPLAINERS))
def test_images_and_network_are_left_as_they_were(name, net, images, targets, context):
    pixels, weights = images.clone(), {k: v.clone() for k, v in net.state_dict().items()}
    EXPLAINERS[name].attribute(net, images, targets, context)
    assert torch.equal(images, pixels)
    assert not images.requires_grad
    assert all(torch.equal(v, weights[k]) for k, v in net.state_dict().items())
    assert not any(m._forward_hooks or m._backward_hooks for m in net.modules())
