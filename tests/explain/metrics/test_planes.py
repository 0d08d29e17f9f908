"""Metrics of truth count the plane where the truth does."""

import pytest
import torch

from cellxai.explain.base import Attribution, Case, attribution_of_planes
from cellxai.explain.metrics.base import ModelSource, chance_level
from cellxai.explain.metrics.localisation import (
    PointingGame,
    RankAccuracy,
    RegionAuc,
    RelevanceMass,
    TopKIou,
)
from cellxai.explain.metrics.planes import evidence_in_planes
from cellxai.explain.metrics.truth import RemovalCorrelation, ShortcutContrast

METRICS = [m("cause") for m in (RelevanceMass, RankAccuracy, PointingGame, TopKIou, RegionAuc)]


@pytest.fixture
def cause() -> torch.Tensor:
    """A square in the second of three planes."""
    region = torch.zeros(3, 3, 16, 16, dtype=torch.bool)
    region[:, 1, 2:7, 3:8] = True
    return region


@pytest.fixture
def case(net, images, targets, context, cause) -> Case:
    return Case(net, images, targets, context, {"cause": cause})


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_right_place_in_the_right_plane_is_best_and_in_a_wrong_one_worst(metric, case, cause):
    best, wrong = (
        attribution_of_planes(cause.double()),
        attribution_of_planes(cause.double().roll(1, 1)),
    )
    assert metric.applies_to(case.truth)
    found = metric.score(case, best)
    assert (found >= metric.score(case, wrong) + 0.2).all()
    assert (found == found.new_tensor(1)).all() or metric.name == "top-k IoU"
    assert metric.score(case, wrong).max() < 0.51


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_one_plane_is_judged_as_an_image_without_planes(metric, case, cause, values):
    of_image = Case(case.model, case.images, case.targets, case.context, {"cause": cause[:, 1]})
    of_plane = Case(case.model, case.images, case.targets, case.context, {"cause": cause[:, 1:2]})
    expected = metric.score(of_image, Attribution(values))
    assert torch.equal(metric.score(of_plane, attribution_of_planes(values[:, None])), expected)
    assert torch.equal(chance_level(metric, of_plane.truth), chance_level(metric, of_image.truth))


def test_a_map_without_planes_finds_the_place_and_a_third_of_the_planes(case, cause):
    blind = Attribution(cause.any(1).double())
    third = torch.full((3,), 1 / 3, dtype=torch.float64)
    torch.testing.assert_close(RelevanceMass("cause").score(case, blind), third)
    torch.testing.assert_close(PointingGame("cause").score(case, blind), third)


def test_chance_is_the_share_of_all_planes(case):
    share = 25 / (3 * 256)
    torch.testing.assert_close(chance_level(METRICS[0], case.truth), torch.full((3,), share))
    assert chance_level(RegionAuc("cause"), case.truth).tolist() == [0.5] * 3


def test_evidence_of_a_part_is_that_of_its_own_plane_or_of_all(values):
    by_plane = torch.stack([values, 2 * values, -values], 1)
    parts = torch.rand(3, 4, 16, 16, generator=torch.Generator().manual_seed(2)) < 0.2
    planes = torch.tensor([[0, 1, 2, -1]]).expand(3, -1)
    sums = (parts * values[:, None]).double().sum((2, 3))
    expected = sums * torch.tensor([1, 2, -1, 2])
    torch.testing.assert_close(
        evidence_in_planes(by_plane, parts, planes), expected, rtol=0, atol=1e-4
    )


def test_removal_counts_the_plane_of_each_part(net, images, targets, context):
    parts = torch.zeros(3, 4, 16, 16, dtype=torch.bool)
    parts[:, :2, :8], parts[:, 2:, 8:] = True, True  # two planes at each of two places
    planes = torch.tensor([[0, 1, 0, 1]]).expand(3, -1)
    effects = torch.tensor([[4.0, 0, 1, 2]]).expand(3, -1)
    values = torch.zeros(3, 3, 16, 16)
    values[:, 0, :8], values[:, 0, 8:], values[:, 1, 8:] = 4, 1, 2
    truth = {"parts": parts, "effects": effects, "part_planes": planes}
    case = Case(net, images, targets, context, truth)
    found = RemovalCorrelation().score(case, attribution_of_planes(values))
    torch.testing.assert_close(found, torch.ones(3))
    blind = RemovalCorrelation().score(case, Attribution(values.sum(1)))
    assert blind.max() < 0.5


class Other(ModelSource):
    def load(self, device):
        return lambda batch: batch[:, 0, 0]


def test_a_shortcut_in_a_plane_is_found_in_that_plane(case, cause, relu_net):
    from cellxai.explain.base import Explainer

    class Marks(Explainer):
        def attribute(self, model, images, targets, context):
            noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
            return attribution_of_planes(noise + cause if model is case.model else noise)

    contrast = ShortcutContrast(Other(), "cause").score(Marks(), case, case.ask(Marks()))
    assert (contrast > 0.25).all()
