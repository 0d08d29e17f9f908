import pytest
import torch

from cellxai.explain.base import Attribution
from cellxai.explain.metrics.localisation import (
    PointingGame,
    RelevanceMass,
    pointing_game,
    relevance_mass,
)

VALUES = torch.tensor([[[3.0, -2.0], [1.0, 0.0]]])
LEFT = torch.tensor([[[True, False], [True, False]]])
LOWER = torch.tensor([[[False, False], [True, True]]])


def test_relevance_mass_is_the_share_of_the_positive_part():
    assert relevance_mass(VALUES, LEFT).tolist() == [1.0]
    assert relevance_mass(VALUES, LOWER).tolist() == [0.25]


def test_a_map_without_positive_values_has_no_relevance_mass():
    assert relevance_mass(-VALUES.abs(), LEFT).isnan().all()


def test_the_pointing_game_is_won_where_the_maximum_lies():
    assert pointing_game(VALUES, LEFT).tolist() == [1.0]
    assert pointing_game(VALUES, LOWER).tolist() == [0.0]


def test_tied_maxima_score_the_share_that_lies_in_the_region():
    tied = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    assert pointing_game(tied, LEFT)[0] == pytest.approx(2 / 3)


def test_the_chance_level_is_what_random_maps_score(net, images, targets, context):
    region = torch.zeros(400, 8, 8, dtype=torch.bool)
    region[:, :2, :5] = True
    truth = {"cause": region}
    maps = Attribution(torch.rand(400, 8, 8, generator=torch.Generator().manual_seed(0)))
    many = torch.zeros(400, 3, 8, 8), torch.zeros(400, dtype=torch.long)
    for metric in (RelevanceMass("cause"), PointingGame("cause")):
        mean_score = metric.score(net, *many, maps, context, truth).mean()
        assert metric.chance(truth).unique().item() == pytest.approx(10 / 64)
        assert mean_score == pytest.approx(10 / 64, abs=0.04)


@pytest.mark.parametrize("metric", [RelevanceMass("cells"), PointingGame("cells")])
def test_an_unknown_or_empty_region_cannot_be_judged(metric):
    empty = LEFT & LOWER & ~LEFT
    assert metric.applies_to({"cells": LEFT})
    assert not metric.applies_to({"cause": LEFT})
    assert not metric.applies_to({"cells": empty})
    assert not metric.applies_to({})
