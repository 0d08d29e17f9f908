import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf

from cellxai.density.densities import ShrunkGaussian
from cellxai.density.densities.standardisation import pull_in, robust_scales


def draw(n: int, f: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(f, f, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return torch.randn(n, f, generator=generator, dtype=torch.float64) @ mix


@pytest.mark.parametrize(("n", "f"), [(60, 5), (12, 40)])
def test_the_surprise_is_half_of_scikit_learns_mahalanobis_distance(n, f):
    rows, new = draw(n, f), draw(7, f, seed=1)
    centre, scale = robust_scales(rows)
    points = pull_in((rows - centre) / scale)
    judge = LedoitWolf().fit(points.numpy())
    expected = judge.mahalanobis(((new - centre) / scale).numpy()) / 2
    found = ShrunkGaussian().fit(rows, None, 0)
    np.testing.assert_allclose(found.surprise(new), expected, rtol=1e-6)


def test_one_image_can_own_neither_a_unit_nor_a_direction():
    rows, new = draw(200, 6), draw(50, 6, seed=1)
    spoiled = rows.clone()
    spoiled[0, 0] = 1e6
    clean, robust = (ShrunkGaussian().fit(x, None, 0).surprise(new) for x in (rows, spoiled))
    assert float((robust / clean).log().abs().max()) < 1.5
    far = new.clone()
    far[:, 0] += 30 * float(rows[:, 0].std())
    assert ShrunkGaussian().fit(spoiled, None, 0).surprise(far).min() > 5 * robust.max()


def test_units_do_not_matter():
    rows, new = draw(40, 4), draw(5, 4, seed=1)
    units = torch.tensor([1e-3, 1.0, 50.0, 1e4], dtype=torch.float64)
    plain = ShrunkGaussian().fit(rows, None, 0).surprise(new)
    scaled = ShrunkGaussian().fit(rows * units, None, 0).surprise(new * units)
    torch.testing.assert_close(scaled, plain)


def test_constant_and_mostly_constant_features_are_measured():
    rows = draw(40, 3)
    rows[:, 1], rows[5:, 2] = 7.0, 0.0
    found = ShrunkGaussian().fit(rows, None, 0)
    other = rows[:1].clone()
    other[0, 1] = 8.0
    assert found.surprise(rows).isfinite().all()
    assert found.surprise(other)[0] > found.surprise(rows[:1])[0]


def test_the_surprise_is_differentiable_and_restored_exactly():
    density = ShrunkGaussian()
    found = density.fit(draw(30, 4), None, 0)
    new = draw(3, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(found.surprise, (new,))
    again = density.restore(found.state())
    assert torch.equal(again.surprise(new.detach()), found.surprise(new.detach()))


@pytest.mark.parametrize(("n", "f"), [(60, 5), (12, 40)])
def test_a_fit_leaves_its_rows_alone_and_with_small_axes_measures_alike(n, f):
    rows, new = draw(n, f), draw(7, f, seed=1)
    before = rows.clone()
    found = ShrunkGaussian().fit(rows, None, 0)
    assert torch.equal(rows, before)
    small = found.with_small_axes()
    assert small.axes.dtype == torch.float32
    torch.testing.assert_close(small.surprise(new), found.surprise(new), rtol=1e-4, atol=0)


def test_scales_of_many_features_are_those_of_each_alone():
    rows = draw(30, 300)
    rows[:, 7] = 1.0
    centre, scale = robust_scales(rows)
    for column in (0, 7, 255, 256, 299):
        torch.testing.assert_close(centre[column], robust_scales(rows[:, [column]])[0][0])
        torch.testing.assert_close(scale[column], robust_scales(rows[:, [column]])[1][0])
