import pytest
import torch
from matplotlib.figure import Figure
from sklearn import mixture as peer

from gmm.plots.density import plot_density
from gmm.plots.mixture import plot_mixture


@pytest.mark.parametrize("draw", [plot_mixture, plot_density])
def test_axes_that_are_given_are_drawn_on(draw, mixture, plane):
    axes = Figure().subplots()
    assert draw(mixture, plane, ax=axes) is axes
    assert axes.collections


@pytest.mark.parametrize("draw", [plot_mixture, plot_density])
def test_a_mixture_of_scikit_learn_can_be_drawn(draw, plane):
    fitted = peer.GaussianMixture(2, covariance_type="tied", random_state=0).fit(plane)
    assert draw(fitted, torch.from_numpy(plane)).collections
