import pytest
import torch

from cellxai.explain.base import Attribution
from cellxai.explain.metrics.complexity import Gini, gini


def test_gini_equals_the_mean_absolute_difference_of_all_pairs():
    sizes = torch.rand(4, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pairs = (sizes[:, :, None] - sizes[:, None]).abs().mean((1, 2))
    torch.testing.assert_close(gini(sizes), pairs / (2 * sizes.mean(1)))


def test_even_spread_is_0_and_a_single_pixel_is_1_less_its_share():
    assert gini(torch.ones(1, 50)).item() == pytest.approx(0, abs=1e-12)
    assert gini(torch.eye(50)[:1]).item() == pytest.approx(1 - 1 / 50)


def test_sign_and_scale_of_a_map_do_not_matter(net, images, targets, context):
    values = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0))
    scores = [
        Gini().score(net, images, targets, Attribution(v), context, {})
        for v in (values, -1e-6 * values)
    ]
    torch.testing.assert_close(*scores)
