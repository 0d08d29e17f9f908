import math

import pytest
import torch

from cellxai.explain.base import Attribution, Case
from cellxai.explain.metrics.complexity import (
    EffectiveArea,
    Entropy,
    Gini,
    effective_area,
    entropy,
    gini,
)


def test_gini_equals_the_mean_absolute_difference_of_all_pairs():
    sizes = torch.rand(4, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pairs = (sizes[:, :, None] - sizes[:, None]).abs().mean((1, 2))
    torch.testing.assert_close(gini(sizes), pairs / (2 * sizes.mean(1)))


def test_even_spread_is_0_and_a_single_pixel_is_1_less_its_share():
    assert gini(torch.ones(1, 50)).item() == pytest.approx(0, abs=1e-12)
    assert gini(torch.eye(50)[:1]).item() == pytest.approx(1 - 1 / 50)


@pytest.mark.parametrize("metric", [Gini(), Entropy(), EffectiveArea()], ids=lambda m: m.name)
def test_sign_and_scale_of_a_map_do_not_matter(metric, net, images, targets, context, values):
    case = Case(net, images, targets, context)
    scores = [metric.score(case, Attribution(maps)) for maps in (values, -1e-6 * values)]
    torch.testing.assert_close(*scores)


def test_scores_are_those_of_quantus(quantus):
    q = quantus
    gini_of_both = Gini().score(q.case, q.attribution)
    assert gini_of_both.tolist() == pytest.approx(q.said["gini"], abs=1e-5)
    entropy_of_both = Entropy().score(q.case, q.attribution)
    assert entropy_of_both.tolist() == pytest.approx(q.said["entropy"], abs=1e-5)


def test_entropy_is_0_on_one_pixel_and_log_n_on_all():
    assert entropy(torch.eye(50)[:1]).item() == 0
    assert entropy(torch.full((1, 50), 0.3)).item() == pytest.approx(math.log(50), abs=1e-5)


def test_the_effective_area_is_the_least_that_bears_the_mass():
    sizes = torch.tensor([[5.0, 0.0, 3.0, 2.0]]).double()
    assert effective_area(sizes, 0.5).item() == 0.25
    assert effective_area(sizes, 0.8).item() == 0.5
    assert effective_area(sizes, 0.81).item() == 0.75
    assert effective_area(sizes, 1.0).item() == 0.75


@pytest.mark.parametrize("mass", [0.0, 1.1])
def test_a_mass_that_no_area_bears_is_an_error(mass):
    with pytest.raises(ValueError, match=f"mass={mass}"):
        EffectiveArea(mass)
