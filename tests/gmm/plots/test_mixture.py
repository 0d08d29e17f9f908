import numpy as np
import pytest
from matplotlib.patches import Ellipse
from sklearn import mixture as peer

from gmm.estimator import GaussianMixture
from gmm.plots.density import plot_density
from gmm.plots.mixture import SIGMAS, plot_mixture, projected_covariances
from gmm.plots.style import save_figure


def ellipses(axes) -> list[Ellipse]:
    return [patch for patch in axes.patches if isinstance(patch, Ellipse)]


@pytest.mark.parametrize("n_features", [1, 2, 4])
def test_every_dimension_has_a_picture(covariance_type, blobs, n_features, tmp_path):
    x = blobs[:, :n_features]
    axes = plot_mixture(GaussianMixture(3, covariance_type=covariance_type).fit(x), x)
    assert len(ellipses(axes)) == (0 if n_features == 1 else 3 * len(SIGMAS))
    save_figure(axes, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


def test_an_ellipse_has_the_axes_of_the_covariance():
    x = np.random.default_rng(0).normal(size=(4000, 2)) * [3, 1]
    turn = np.deg2rad(30)
    x = x @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    one_sigma = ellipses(plot_mixture(GaussianMixture().fit(x), x))[0]
    assert one_sigma.angle % 180 == pytest.approx(30, abs=2)
    assert one_sigma.width == pytest.approx(6, rel=0.05)
    assert one_sigma.height == pytest.approx(2, rel=0.05)


def test_projected_covariances_are_those_of_the_projected_density(covariance_type, blobs):
    fitted = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(blobs)
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 2)))[0]
    samples, component = fitted.sample(60_000)
    for k, found in enumerate(projected_covariances(fitted, axes)):
        expected = np.cov((samples[component == k] @ axes).T)
        np.testing.assert_allclose(found, expected, atol=0.05 * np.abs(expected).max())


def test_a_mixture_of_low_rank_has_the_ellipses_of_its_loadings_and_noise(mixture, plane):
    # The same covariances, written as loadings and noise.
    loadings = np.linalg.cholesky(mixture.covariances_ - 0.01 * np.eye(2))
    same = GaussianMixture(3).set_params(covariance_type="low_rank")
    same.loadings_, same.noise_variances_ = loadings, np.full((3, 2), 0.01)
    same.means_ = mixture.means_
    np.testing.assert_allclose(projected_covariances(same, np.eye(2)), mixture.covariances_)


def test_pruned_components_are_not_drawn(plane):
    bayesian = peer.BayesianGaussianMixture(
        n_components=6, weight_concentration_prior=1e-3, max_iter=500, random_state=0
    ).fit(plane)
    kept = (bayesian.weights_ >= 0.1 * bayesian.weights_.max()).sum()
    assert kept < 6
    assert len(ellipses(plot_mixture(bayesian, plane))) == kept * len(SIGMAS)
    centroids = plot_density(bayesian, plane).collections[-1]
    assert len(centroids.get_offsets()) == kept


def test_what_cannot_be_drawn_is_named(easy):
    mixture = GaussianMixture(2, random_state=0)
    with pytest.raises(ValueError, match="has not been fitted; call fit first"):
        plot_mixture(mixture, easy)
    mixture.fit(easy)
    faults = {"x.npy": "x is .*expected samples", 3: "x is .*expected"}
    for x, message in faults.items():
        with pytest.raises(ValueError, match=message):
            plot_mixture(mixture, x)
    with pytest.raises(ValueError, match=r"x has shape \(2,\)"):
        plot_mixture(mixture, easy[0])
    with pytest.raises(ValueError, match=r"x\[0, 0\] is NaN"):
        plot_mixture(mixture, np.full((4, 2), np.nan))
