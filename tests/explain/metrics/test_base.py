import pytest
import torch

from cellxai.explain.base import Attribution, unsupported
from cellxai.explain.metrics.base import Metric, is_degenerate
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC, InsertionAUC
from cellxai.explain.metrics.localisation import PointingGame, RelevanceMass

ALL = [DeletionAUC(), InsertionAUC(), RelevanceMass(), PointingGame(), Gini()]


@pytest.fixture
def truth(images):
    cells = torch.zeros(3, 16, 16, dtype=torch.bool)
    cells[:, 2:6, 3:9] = True
    return {"cells": cells}


def test_maps_that_rank_nothing_are_degenerate():
    maps = torch.rand(5, 4, 4)
    maps[0], maps[1] = 0.0, -3.5
    maps[2, 1, 1], maps[3, 0, 0] = torch.nan, torch.inf
    assert is_degenerate(maps).tolist() == [True, True, True, True, False]


@pytest.mark.parametrize("metric", ALL, ids=lambda m: m.name)
def test_a_degenerate_map_scores_nan_and_its_neighbour_as_if_alone(
    metric, net, images, targets, context, truth
):
    values = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(5))
    expected = metric.score(net, images, targets, Attribution(values), context, truth)
    broken = values.clone()
    broken[0], broken[2, 3, 3] = 0.0, torch.nan
    scores = metric.score(net, images, targets, Attribution(broken), context, truth)
    assert scores.isnan().tolist() == [True, False, True]
    assert scores[1] == expected[1]


@pytest.mark.parametrize("metric", ALL, ids=lambda m: m.name)
def test_nothing_but_degenerate_maps_never_asks_the_model(metric, images, targets, context, truth):
    def model(images):
        raise AssertionError("asked")

    attribution = unsupported(images, "no reason")
    assert metric.score(model, images, targets, attribution, context, truth).isnan().all()


@pytest.mark.parametrize("metric", ALL, ids=lambda m: m.name)
def test_scores_stay_in_the_stated_range(metric, net, images, targets, context, truth):
    for seed in range(5):
        values = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(seed))
        scores = metric.score(net, images, targets, Attribution(values), context, truth)
        low, high = metric.range
        assert ((scores >= low) & (scores <= high)).all()


def test_a_metric_of_a_users_own_needs_one_method(net, images, targets, context):
    class Peak(Metric):
        name, direction, range, paper = "peak", "higher", (0.0, 1.0), "mine"

        def measure(self, model, images, targets, attribution, context, truth):
            return attribution.values.amax((1, 2))

    attribution = Attribution(images[:, 0])
    scores = Peak().score(net, images, targets, attribution, context, {})
    assert torch.equal(scores, images[:, 0].amax((1, 2)))
    assert Peak().chance({}) is None
    assert Peak().applies_to({})
