import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from cellxai.density.densities import Mixture

ONE = Mixture(projection=3, n_components=(1,), covariance_types=("full",), n_init=1)


def draw(n: int = 60, f: int = 8, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(f, f, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return torch.randn(n, f, generator=generator, dtype=torch.float64) @ mix + 2


def test_one_gaussian_scores_as_scikit_learn_does():
    x, new = draw(), draw(seed=1)
    pca = PCA(3, svd_solver="full").fit(x)
    theirs = GaussianMixture(1).fit(pca.transform(x))
    found = ONE.fit(x, None, 0)
    expected = theirs.score_samples(pca.transform(new))
    np.testing.assert_allclose(found.log_density(new), expected, rtol=1e-5)
    peak = theirs.score_samples(theirs.means_)[0]
    np.testing.assert_allclose(found.surprise(new), peak - expected, rtol=1e-4)


def test_of_a_mixture_per_class_the_classes_add_up():
    x, labels = draw(), torch.arange(60) % 3
    settings = Mixture(projection=3, n_components=(1,), covariance_types=("full",), per_class=True)
    found = settings.fit(x, labels, 0)
    points = found.projection.points(x).numpy()
    joint = sum(
        np.exp(GaussianMixture(1).fit(points[labels == name]).score_samples(points)) / 3
        for name in range(3)
    )
    np.testing.assert_allclose(found.log_density(x), np.log(joint), rtol=1e-5)
    with pytest.raises(ValueError, match="per_class=true needs the classes"):
        settings.fit(x, None, 0)


def test_no_row_is_less_surprising_than_nothing():
    settings = Mixture(projection=None, n_components=(3,), covariance_types=("diag",), n_init=1)
    found = settings.fit(draw(), None, 0)
    means = torch.as_tensor(found.mixtures[0].means_)
    assert (found.peak >= found.log_density(torch.cat([means, draw()]))).all()


def test_folds_keep_the_dimensions_of_the_whole():
    share = Mixture(projection=0.9, n_components=(1,), covariance_types=("diag",))
    whole = share.fit(draw(40, 30), None, 0)
    assert share.like(whole, 30).projection == whole.projection.n_dimensions
    none = Mixture(projection=None)
    assert none.like(whole, 30) is none


def test_a_state_restores_what_answers_alike():
    found = ONE.fit(draw(), None, 0)
    assert torch.equal(
        ONE.restore(found.state()).surprise(draw(seed=1)), found.surprise(draw(seed=1))
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"projection": 1.5}, "projection=1.5"), ({"n_components": ()}, "at least one of each")],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Mixture(**settings)
