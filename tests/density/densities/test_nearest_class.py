import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf

from cellxai.density.densities import NearestClass, ShrunkGaussian
from cellxai.density.densities.standardisation import pull_in, robust_scales


def draw(n: int, f: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, f, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("n", "f"), [(60, 5), (12, 40)])
def test_the_surprise_is_half_of_scikit_learns_mahalanobis_distance_from_the_nearest_class(n, f):
    labels = torch.arange(n) % 3 * 2  # no class has the number 1
    rows, new = draw(n, f) + labels[:, None], draw(7, f, seed=1) + 1
    centre, scale = robust_scales(rows)
    points = pull_in((rows - centre) / scale).numpy()
    means = np.stack([points[labels == label].mean(0) for label in (0, 2, 4)])
    judge = LedoitWolf(assume_centered=True).fit(points - means[labels // 2])
    others = ((new - centre) / scale).numpy()
    distances = [judge.mahalanobis(others - mean + judge.location_) for mean in means]
    found = NearestClass().fit(rows, labels, 0)
    np.testing.assert_allclose(found.surprise(new), np.min(distances, 0) / 2, rtol=1e-6)


@pytest.mark.parametrize("labels", [None, torch.full((30,), 4)])
def test_one_class_is_a_shrunk_gaussian(labels):
    rows, new = draw(30, 4), draw(5, 4, seed=1)
    one = ShrunkGaussian().fit(rows, None, 0).surprise(new)
    torch.testing.assert_close(NearestClass().fit(rows, labels, 0).surprise(new), one)


def test_what_lies_between_the_classes_is_strange():
    labels = torch.arange(200) % 2
    rows = draw(200, 3) + 20 * labels[:, None]
    between = torch.full((1, 3), 10.0, dtype=torch.float64)
    new = draw(50, 3, seed=1) + 20 * (torch.arange(50) % 2)[:, None]
    classes, one = NearestClass().fit(rows, labels, 0), ShrunkGaussian().fit(rows, None, 0)
    assert classes.surprise(between) > 5 * classes.surprise(new).max()
    assert one.surprise(between) < one.surprise(new).min()


@pytest.mark.parametrize("f", [4, 40])
def test_classes_of_one_image_and_a_class_without_images_are_no_trouble(f):
    rows, labels = draw(12, f), torch.arange(12)
    for chosen in (labels, labels // 3):
        assert NearestClass().fit(rows, chosen, 0).surprise(draw(5, f, seed=1)).isfinite().all()


@pytest.mark.parametrize(("n", "f"), [(30, 4), (8, 20)])
def test_it_is_differentiable_restored_exactly_and_leaves_its_rows_alone(n, f):
    rows, labels, density = draw(n, f), torch.arange(n) % 2, NearestClass()
    before = rows.clone()
    found = density.fit(rows, labels, 0)
    assert torch.equal(rows, before)
    new = draw(3, f, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(found.surprise, (new,))
    again = density.restore(found.state())
    assert torch.equal(again.surprise(new.detach()), found.surprise(new.detach()))
    small = found.with_small_axes()
    assert small.shape.axes.dtype == torch.float32
    torch.testing.assert_close(small.surprise(new), found.surprise(new), rtol=1e-4, atol=0)
