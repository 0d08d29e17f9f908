import pytest
import torch
from games import curved_game, values_by_subsets

from cellxai.explain.base import Context
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.shapley.exact import ExactShapley, all_coalitions, exact_shapley_values
from cellxai.explain.superpixels.methods import Grid


@pytest.mark.parametrize("n_players", [1, 2, 5])
def test_values_are_those_of_a_slow_loop_over_subsets(n_players):
    worth = curved_game(n_players)
    values = exact_shapley_values(worth(all_coalitions(n_players)))
    torch.testing.assert_close(values, values_by_subsets(worth, n_players))


def test_the_axioms_hold_as_identities():
    one, other = curved_game(6, 1), curved_game(6, 2)
    every = all_coalitions(6)
    values = [exact_shapley_values(worth(every)) for worth in (one, other)]
    summed = exact_shapley_values(one(every) + 2 * other(every))
    torch.testing.assert_close(summed, values[0] + 2 * values[1])
    torch.testing.assert_close(values[0].sum(), one(every[-1:])[0] - one(every[:1])[0])
    swapped = exact_shapley_values(one(every.flip(1)))
    torch.testing.assert_close(swapped.flip(0), values[0])


def test_a_linear_model_gets_its_contributions_back(
    linear, images, targets, context, contributions
):
    attribution = attribute_with_cost(ExactShapley(), linear, images, targets, context)
    torch.testing.assert_close(attribution.superpixel_values.double(), contributions)
    assert attribution.cost.forwards == 3 * 2**4
    assert attribution.status == "ok"


def test_images_of_more_superpixels_than_can_be_asked_about_are_unsupported(net, images, targets):
    labels = Grid(4).segment(images)
    context = Context(labels, torch.full_like(images, 0.5), batch_size=4)
    attribution = attribute_with_cost(ExactShapley(), net, images, targets, context)
    assert attribution.status == "unsupported"
    assert attribution.reason.startswith("more than 14 superpixels")
    some = labels.clone()
    some[1] //= 8
    mixed = ExactShapley().attribute(
        net, images, targets, Context(some, context.baseline, batch_size=4)
    )
    assert mixed.status == "degraded"
    assert mixed.superpixel_values.isfinite().sum(1).tolist() == [0, 2, 0]


def test_players_may_be_superpixels_of_single_planes(net, images, targets, context):
    halves = Context(context.superpixels // 2, context.baseline, batch_size=32)
    attribution = ExactShapley(by_plane=True).attribute(net, images, targets, halves)
    with torch.no_grad():
        change = (net(images) - net(context.baseline)).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(attribution.superpixel_plane_values.sum((1, 2)), change)
