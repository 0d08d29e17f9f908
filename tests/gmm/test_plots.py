import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from gmm.estimator import GaussianMixture
from gmm.plots import SIGMAS, plot_criterion, plot_mixture, save_figure
from gmm.selection import sweep


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


def test_the_minimum_of_the_criterion_is_marked_and_named(blobs):
    found = sweep(blobs, [1, 2, 3], ["full", "diag"], n_init=2)
    axes = plot_criterion(found)
    assert f"{found.best.n_components} components" in axes.get_title("left")
    labelled = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    assert [line.get_label() for line in labelled] == ["full", "diag"]
    assert list(labelled[0].get_ydata()) == [row.bic for row in found.rows[:3]]


def test_axes_that_are_given_are_drawn_on(blobs):
    axes = Figure().subplots()
    assert plot_mixture(GaussianMixture().fit(blobs), blobs, ax=axes) is axes
