import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from sklearn import mixture as peer

from gmm.estimator import GaussianMixture
from gmm.plots.criterion import plot_criterion
from gmm.plots.density import plot_density
from gmm.plots.mixture import SIGMAS, plot_mixture, projected_covariances
from gmm.plots.scores import plot_scores
from gmm.plots.style import ALARM, save_figure
from gmm.selection import sweep


@pytest.fixture(scope="module")
def plane(blobs) -> np.ndarray:
    return blobs[:, :2]


@pytest.fixture(scope="module")
def mixture(plane) -> GaussianMixture:
    return GaussianMixture(3, n_init=3, random_state=0).fit(plane)


def ellipses(axes) -> list[Ellipse]:
    return [patch for patch in axes.patches if isinstance(patch, Ellipse)]


def contour_vertices(axes, colour: str) -> list[np.ndarray]:
    """The points of all contour lines of a colour, a line each."""
    drawn = [each for each in axes.collections if hasattr(each, "levels") and not each.filled]
    drawn = [each for each in drawn if to_hex(each.get_edgecolor()[0]) == colour.lower()]
    return [path.vertices for each in drawn for path in each.get_paths() if len(path.vertices)]


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


@pytest.mark.parametrize("as_tensor", [False, True])
def test_the_minimum_of_the_criterion_is_marked_and_named(blobs, as_tensor):
    x = torch.from_numpy(blobs) if as_tensor else blobs
    found = sweep(x, [1, 2, 3], ["full", "diag"], n_init=2)
    axes = plot_criterion(found)
    assert f"{found.best.n_components} components" in axes.get_title("left")
    labelled = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    assert [line.get_label() for line in labelled] == ["full", "diag"]
    assert list(labelled[0].get_ydata()) == [row.bic for row in found.rows[:3]]


def test_several_criteria_have_a_line_and_a_ring_each(blobs):
    found = sweep(blobs, [1, 2, 3], ["full"], n_init=2)
    axes = plot_criterion(found, ["bic", "aic"])
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["AIC"].get_ydata()) == [row.aic for row in found.rows]
    rings = [line for line in axes.lines if line.get_markersize() > 10]
    least = {min(row.bic for row in found.rows), min(row.aic for row in found.rows)}
    assert {float(ring.get_ydata()[0]) for ring in rings} == least


def test_a_criterion_that_was_not_computed_is_refused(blobs):
    found = sweep(blobs, [1, 2], ["full"], n_init=1)
    with pytest.raises(ValueError, match=r"^criterion 'held_out' was not computed; sweep with"):
        plot_criterion(found, ["bic", "held_out"])


def test_samples_below_the_threshold_are_marked(mixture, plane):
    scores = mixture.score_samples(plane)
    threshold = float(np.percentile(scores, 4))
    axes = plot_density(mixture, plane, threshold_nats=threshold)
    outliers = {tuple(sample) for sample in plane[scores < threshold]}
    marked = [{tuple(place) for place in each.get_offsets()} for each in axes.collections]
    assert outliers in marked
    assert f"{len(outliers)} outliers of {len(plane)}" in axes.get_title("left")


def test_a_decision_boundary_lies_where_two_components_are_equally_probable(mixture, plane):
    lines = contour_vertices(plot_density(mixture, plane), ALARM)
    shares = np.sort(mixture.predict_proba(np.concatenate(lines)), 1)
    assert np.median(shares[:, -1] - shares[:, -2]) < 0.02


def test_the_density_contours_leave_their_percentages_outside(mixture, plane):
    levels = next(each.levels for each in plot_density(mixture, plane).collections
                  if hasattr(each, "levels"))  # fmt: skip
    outside = [(mixture.score_samples(plane) < level).mean() for level in levels[:-1]]
    np.testing.assert_allclose(outside, [0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95],
                               atol=1.5 / len(plane))  # fmt: skip


def test_a_density_of_more_than_two_features_is_refused(blobs):
    fitted = GaussianMixture().fit(blobs)
    with pytest.raises(ValueError, match=r"^x has shape \(450, 4\), expected two features"):
        plot_density(fitted, blobs)


def test_each_set_of_scores_has_a_row_that_counts_what_the_threshold_flags():
    axes = plot_scores({"seen": [1.0, 2.0, 3.0], "unseen": torch.tensor([0.0, 2.5])}, 1.5)
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["seen\n1 of 3 flagged", "unseen\n1 of 2 flagged"]
    assert "1.5 nats" in axes.get_title("left")
    assert "2 of 4 flagged" in plot_scores([0.0, 1.0, 2.0, 3.0], 1.5).get_title("left")


def test_every_score_is_in_the_histogram_however_long_its_tail():
    scores = np.concatenate([np.random.default_rng(0).normal(1450, 20, 400), [-7.5e7, -2e6]])
    axes = plot_scores(scores)
    assert axes.get_xscale() == "asinh"
    assert axes.patches[0].get_data().values.sum() == pytest.approx(1)
    assert plot_scores(scores[:400]).get_xscale() == "linear"


@pytest.mark.parametrize("same", [0.0, 3.0])
def test_equal_scores_can_be_drawn(same):
    assert plot_scores([same, same]).patches


def test_a_score_that_is_not_finite_is_refused_by_the_name_of_its_set():
    with pytest.raises(ValueError, match="scores of 'unseen' hold a nan, expected finite"):
        plot_scores({"seen": [1.0], "unseen": [2.0, np.nan]})
    with pytest.raises(ValueError, match="scores of 'samples' hold nothing"):
        plot_scores([])


@pytest.mark.parametrize("draw", [plot_mixture, plot_density])
def test_axes_that_are_given_are_drawn_on(draw, mixture, plane):
    axes = Figure().subplots()
    assert draw(mixture, plane, ax=axes) is axes
    assert axes.collections


@pytest.mark.parametrize("draw", [plot_mixture, plot_density])
def test_a_mixture_of_scikit_learn_can_be_drawn(draw, plane):
    fitted = peer.GaussianMixture(2, covariance_type="tied", random_state=0).fit(plane)
    assert draw(fitted, torch.from_numpy(plane)).collections
