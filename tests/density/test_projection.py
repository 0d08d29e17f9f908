import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from cellxai.density.projection import fit_projection


def features(n: int = 40, f: int = 7, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(f, f, generator=generator, dtype=torch.float64)
    return torch.randn(n, f, generator=generator, dtype=torch.float64) @ mix + 3


@pytest.mark.parametrize(("n", "f"), [(40, 7), (12, 30)])
@pytest.mark.parametrize("kept", [0.5, 0.9, 0.999, 1, 3])
def test_points_and_errors_are_those_of_scikit_learn(n, f, kept):
    x = features(n, f)
    ours = fit_projection(x, False, kept)
    theirs = PCA(kept, svd_solver="full").fit(x)
    assert ours.n_dimensions == theirs.n_components_
    points, expected = ours.points(x).numpy(), theirs.transform(x)
    signs = np.sign((points * expected).sum(0))  # an axis has no direction of its own
    np.testing.assert_allclose(points, expected * signs, atol=1e-9)
    back = theirs.inverse_transform(expected)
    np.testing.assert_allclose(ours.features(torch.from_numpy(points)), back, atol=1e-9)
    np.testing.assert_allclose(ours.error(x), np.square(x.numpy() - back).mean(1), atol=1e-9)


def test_standardised_points_are_those_of_scikit_learn():
    x = features()
    expected = StandardScaler().fit_transform(x)
    found = fit_projection(x, True, None)
    np.testing.assert_allclose(found.points(x), expected, atol=1e-12)
    np.testing.assert_allclose(found.features(torch.from_numpy(expected)), x, atol=1e-12)


def test_a_constant_feature_is_not_divided_by_its_spread():
    x = features()
    x[:, 2] = 5.0
    found = fit_projection(x, True, 0.9)
    assert found.scale[2] == 1
    assert found.points(x).isfinite().all()


def test_points_are_differentiable():
    x = features().requires_grad_()
    fit_projection(x.detach(), True, 2).points(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_more_axes_than_there_are_is_refused():
    with pytest.raises(ValueError, match=r"projection=7: 5 images of 30 features have 4 axes"):
        fit_projection(features(5, 30), False, 7)


def test_without_a_projection_nothing_can_be_lost():
    with pytest.raises(ValueError, match="projection=null keeps every feature"):
        fit_projection(features(), False, None).error(features())
