import numpy as np
import torch
from sklearn.decomposition import PCA

from cellxai.density.densities import ReconstructionError


def draw(n: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 6, generator=generator, dtype=torch.float64)


def test_the_surprise_is_the_squared_error_of_scikit_learns_reconstruction():
    x, new = draw(40), draw(5, 1)
    pca = PCA(2).fit(x)
    expected = np.square(new.numpy() - pca.inverse_transform(pca.transform(new))).mean(1)
    density = ReconstructionError(2)
    found = density.fit(x, None, 0)
    np.testing.assert_allclose(found.surprise(new), expected)
    assert torch.equal(density.restore(found.state()).surprise(new), found.surprise(new))


def test_folds_keep_the_dimensions_of_the_whole_as_far_as_they_have_them():
    share = ReconstructionError(0.8)
    whole = share.fit(draw(40), None, 0)
    assert share.like(whole, 30).projection == whole.projection.n_dimensions
    assert share.like(whole, 3).projection == 2
