"""Explainers, superpixels and metrics on images of five planes."""

import pytest
import torch
from attention_only import explainers_of_any_network
from torch import nn

from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.base import Case, context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.catalogue import every_metric
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.hiding.occlusion import FeatureAblation
from cellxai.explain.metrics.base import Metric
from cellxai.explain.superpixels.methods import Felzenszwalb, Grid, Quickshift, Slic, Watershed

EXPLAINERS = explainers_of_any_network(n_samples=30)
METRICS = every_metric(["cells", "cause"])


@pytest.fixture(scope="module")
def five() -> torch.Tensor:
    """Two images of five planes, of different brightness each."""
    drawn = torch.rand(2, 5, 6, 6, generator=torch.Generator().manual_seed(0))
    levels = torch.tensor([1.0, 0.05, 0.4, 0.7, 0.2])[:, None, None]
    return nn.functional.interpolate(drawn * levels, size=24, mode="bilinear")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(5, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3),
    ).eval()  # fmt: skip


@pytest.mark.parametrize("name", EXPLAINERS)
def test_every_explainer_gives_a_map_of_images_of_five_planes(name, five, network):
    context = context_of(five, Slic(n_segments=9), BlurBaseline(3.0))
    targets = torch.tensor([0, 2])
    attribution = attribute_with_cost(EXPLAINERS[name], network, five, targets, context)
    assert attribution.status in ("ok", "degraded"), attribution.reason
    assert attribution.values.shape == (2, 24, 24)
    assert attribution.values.isfinite().all()
    assert attribution.values.std() > 0


@pytest.mark.parametrize("name", ["saliency", "integrated-gradients", "lrp", "gradcam", "ablation"])
def test_permuted_planes_under_a_permuted_stem_have_the_same_map(name, five, network):
    order, targets = [3, 0, 4, 1, 2], torch.tensor([0, 2])
    context = context_of(five, Slic(n_segments=9), BlurBaseline(3.0))
    expected = EXPLAINERS[name].attribute(network, five, targets, context).values
    permuted = nn.Sequential(nn.Conv2d(5, 6, 3, padding=1), *list(network)[1:]).eval()
    stem = network[0]
    permuted[0].load_state_dict({"weight": stem.weight[:, order], "bias": stem.bias})
    other = five[:, order].contiguous()
    context = context_of(other, Slic(n_segments=9), BlurBaseline(3.0))
    values = EXPLAINERS[name].attribute(permuted, other, targets, context).values
    torch.testing.assert_close(values, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "method",
    [Slic(9), Quickshift(), Felzenszwalb(), Watershed(9)],
    ids=lambda method: type(method).__name__,
)
def test_superpixels_follow_planes_whatever_their_brightness(method, five):
    labels = method.segment(five)
    scaled = five * torch.tensor([0.5, 8.0, 0.25, 1.0, 2.0])[:, None, None]
    assert torch.equal(method.segment(scaled), labels)
    blank = torch.cat([five, torch.full_like(five[:, :1], 0.3)], 1)
    assert method.segment(blank).shape == (2, 24, 24)


def test_equal_planes_are_cut_as_one_plane_stretched_from_black_to_white(five):
    plane = five[:, :1]
    low, high = plane.amin((2, 3), keepdim=True), plane.amax((2, 3), keepdim=True)
    stretched = (plane - low) / (high - low)
    assert torch.equal(Slic(9).segment(plane.expand(-1, 5, -1, -1)), Slic(9).segment(stretched))


@pytest.mark.parametrize(
    "explainer", [Saliency(), FeatureAblation(by_plane=True)], ids=["saliency", "ablation by plane"]
)
@pytest.mark.parametrize("name", METRICS)
def test_every_metric_judges_maps_of_five_planes(name, explainer, five, network):
    context = context_of(five, Grid(8), BlurBaseline(3.0))
    cells = torch.zeros(2, 24, 24, dtype=torch.bool)
    cells[:, 4:12, 6:20] = True
    cause = torch.zeros(2, 5, 24, 24, dtype=torch.bool)
    cause[:, 3, 4:12, 6:12] = True
    truth = {"cells": cells, "cause": cause}
    case = Case(network, five, torch.tensor([0, 2]), context, truth)
    attribution, metric = case.ask(explainer), METRICS[name]
    assert attribution.plane_values is not None
    if isinstance(metric, Metric):
        scores = metric.score(case, attribution)
    else:
        scores = metric.score(explainer, case, attribution)
    assert scores.shape == (2,)
    assert scores.isfinite().all()
