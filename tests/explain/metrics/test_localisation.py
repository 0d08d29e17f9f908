from itertools import combinations

import pytest
import torch
from sklearn.metrics import roc_auc_score

from cellxai.explain.base import Attribution, Case
from cellxai.explain.metrics.localisation import (
    PointingGame,
    RankAccuracy,
    RegionAuc,
    RelevanceMass,
    TopKIou,
    expected_iou,
    pointing_game,
    region_auc,
    relevance_mass,
    top_in_region,
)

ALL = [RelevanceMass, RankAccuracy, PointingGame, TopKIou, RegionAuc]

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


@pytest.mark.parametrize("kind", ALL)
def test_the_chance_level_is_what_random_maps_score(kind, net, images, targets, context):
    region = torch.zeros(600, 8, 8, dtype=torch.bool)
    region[:, :2, :5] = True
    truth, metric = {"cause": region}, kind("cause")
    maps = Attribution(torch.rand(600, 8, 8, generator=torch.Generator().manual_seed(0)))
    many = torch.zeros(600, 3, 8, 8), torch.zeros(600, dtype=torch.long)
    mean_score = metric.score(Case(net, *many, context, truth), maps).mean()
    chance = metric.chance(truth).unique().item()
    assert mean_score == pytest.approx(chance, abs=0.04)
    if kind not in (TopKIou, RegionAuc):
        assert chance == pytest.approx(10 / 64)


def test_the_expected_iou_is_the_mean_over_all_choices():
    region, choices = {0, 1, 2}, list(combinations(range(7), 4))
    overlaps = [len(region & set(choice)) for choice in choices]
    mean = sum(both / (4 + 3 - both) for both in overlaps) / len(choices)
    assert expected_iou(4, 3, 7) == pytest.approx(mean)
    assert expected_iou(7, 3, 7) == pytest.approx(3 / 7)


def test_the_area_under_the_curve_is_that_of_scikit_learn_with_ties():
    values = torch.randint(0, 6, (4, 9, 9), generator=torch.Generator().manual_seed(0)).float()
    region = torch.rand(4, 9, 9, generator=torch.Generator().manual_seed(1)) < 0.3
    expected = [
        roc_auc_score(r.flatten(), v.flatten()) for r, v in zip(region, values, strict=True)
    ]
    assert region_auc(values, region).tolist() == pytest.approx(expected, abs=1e-6)
    assert region_auc(values, torch.ones_like(region)).isnan().all()


def test_tied_pixels_count_as_if_drawn_at_random():
    """One pixel above, two of four tied ones drawn, of which three lie in the region."""
    values = torch.tensor([[[5.0, 1.0, 1.0], [1.0, 1.0, 0.0]]])
    region = torch.tensor([[[False, True, True], [True, False, True]]])
    assert top_in_region(values, region, torch.tensor([3])).item() == pytest.approx(2 * 3 / 4)


def test_rank_accuracy_takes_as_many_pixels_as_the_region_has(net, images, targets, context):
    values = torch.zeros(3, 16, 16)
    values[:, 0, :6], values[:, 5, 5] = torch.arange(6.0) + 1, -1
    region = torch.zeros(3, 16, 16, dtype=torch.bool)
    region[:, 0, 3:8] = True
    case = Case(net, images, targets, context, {"cells": region})
    actual = RankAccuracy().score(case, Attribution(values))
    torch.testing.assert_close(actual, torch.full((3,), 3 / 5))


def test_the_scores_are_those_of_quantus(quantus):
    q = quantus
    for name, kind in [("rank accuracy", RankAccuracy), ("pointing game", PointingGame)]:
        assert kind().score(q.case, q.attribution).tolist() == pytest.approx(q.said[name])
    assert RegionAuc().score(q.case, q.attribution).tolist() == pytest.approx(
        q.said["AUC"], abs=1e-6
    )
    both = top_in_region(q.attribution.values, q.truth["cells"], torch.tensor([12, 12]))
    assert (both / 12).tolist() == pytest.approx(q.said["top-k intersection"])
    # Quantus takes the absolute map; ours is made so before.
    absolute = Attribution(q.attribution.values.abs())
    assert RelevanceMass().score(q.case, absolute).tolist() == pytest.approx(
        q.said["relevance mass"]
    )


@pytest.mark.parametrize("kind", ALL)
def test_an_unknown_or_empty_region_cannot_be_judged(kind):
    empty, metric = LEFT & LOWER & ~LEFT, kind("cells")
    assert metric.applies_to({"cells": LEFT})
    assert not metric.applies_to({"cause": LEFT})
    assert not metric.applies_to({"cells": empty})
    assert not metric.applies_to({})


def test_a_share_of_no_pixels_is_an_error():
    with pytest.raises(ValueError, match="share=0"):
        TopKIou(share=0.0)
