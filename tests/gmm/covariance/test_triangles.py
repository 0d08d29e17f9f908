import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gmm.covariance import triangles
from gmm.covariance.triangles import distances, square, weighted_products

SHAPES = {
    "run": st.integers(1, 3),
    "k": st.integers(1, 5),
    "d": st.integers(1, 70),
    "n": st.integers(1, 90),
    "seed": st.integers(0, 99),
}


def random(seed, *shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("smallest", [0, 2**60])  # in blocks, and whole
@pytest.mark.parametrize("at_once", [2, 64])
@settings(max_examples=25, deadline=None)
@given(**SHAPES)
def test_distances_are_those_of_the_definition(smallest, at_once, run, k, d, n, seed):
    chol, means, x = random(seed, run, k, d, d).triu(), random(seed + 1, run, k, d), random(2, d, n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gmm.covariance.cost.SMALLEST_TRIANGLES", smallest)
        patch.setattr(triangles, "ROWS_AT_ONCE", at_once)
        result = distances(chol, means, n)(x)
        shared = distances(chol[:, :1], means, n)(x)
    expected = (chol.mT @ (x - means[..., None])).square().sum(-2)
    torch.testing.assert_close(result, expected)
    torch.testing.assert_close(shared[:, 0], expected[:, 0])


@pytest.mark.parametrize("smallest", [0, 2**60])
@pytest.mark.parametrize("at_once", [2, 64])
@settings(max_examples=25, deadline=None)
@given(**SHAPES)
def test_weighted_products_are_those_of_the_definition(smallest, at_once, run, k, d, n, seed):
    x, shares = random(seed, d, n), random(seed + 1, run * k, n).abs()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gmm.covariance.cost.SMALLEST_TRIANGLES", smallest)
        patch.setattr(triangles, "ROWS_AT_ONCE", at_once)
        result = weighted_products(x, shares)
    torch.testing.assert_close(result, torch.einsum("kn,in,jn->kij", shares, x, x))


def test_distances_can_be_differentiated_twice():
    chol, means, x = random(0, 1, 2, 4, 4).triu(), random(1, 1, 2, 4), random(2, 4, 3)
    evaluate = distances(chol, means, 3)
    assert torch.autograd.gradgradcheck(evaluate, x.requires_grad_())


@pytest.mark.parametrize("d", [1, 7, 130, 260])
@pytest.mark.parametrize("upper", [True, False])
def test_the_square_of_a_triangle_is_its_product_with_its_transpose(d, upper):
    factor = random(0, 2, 3, d, d)
    factor = factor.triu() if upper else factor.tril()
    torch.testing.assert_close(square(factor, upper=upper), factor @ factor.mT)
    turned = factor.mT  # another layout in memory
    torch.testing.assert_close(square(turned, upper=not upper), turned @ factor)
