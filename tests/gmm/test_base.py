import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from gmm.em import loop
from gmm.estimator import GaussianMixture


def test_samples_follow_the_mixture_and_its_seed(covariance_type, blobs):
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(blobs)
    x, component = mixture.sample(20_000)
    assert (x == mixture.sample(20_000)[0]).all()
    np.testing.assert_allclose(x.mean(0), blobs.mean(0), atol=0.15)
    np.testing.assert_allclose(np.bincount(component) / len(x), mixture.weights_, atol=0.02)
    with pytest.raises(ValueError, match="n_samples=0"):
        mixture.sample(0)


def test_a_fit_that_stops_early_warns_and_names_the_limit(blobs):
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        GaussianMixture(3, max_iter=1, tol=0.0).fit(blobs)


def test_a_fitted_run_can_be_taken_over(blobs):
    fitted = GaussianMixture(2, random_state=0).fit(blobs)
    run = loop.Run(fitted.parameters_, fitted.lower_bound_, tuple(fitted.lower_bounds_), True)
    taken = clone(fitted).set_fitted(run)
    np.testing.assert_array_equal(taken.score_samples(blobs), fitted.score_samples(blobs))
    assert taken.n_iter_ == fitted.n_iter_


def test_an_unfitted_mixture_says_so(blobs):
    with pytest.raises(NotFittedError):
        GaussianMixture().score_samples(blobs)


@pytest.mark.parametrize("as_type", [np.asarray, torch.as_tensor])
def test_missing_and_infinite_values_are_named_by_row_and_column(blobs, as_type):
    broken = blobs.copy()
    broken[7, 2], broken[9, 0] = np.nan, -np.inf
    with pytest.raises(ValueError, match=r"x\[7, 2\] is NaN, x\[9, 0\] is -inf; expected finite"):
        GaussianMixture().fit(as_type(broken))


def test_tensors_of_another_shape_are_refused(blobs):
    x = torch.from_numpy(blobs)
    mixture = GaussianMixture().fit(x)
    with pytest.raises(ValueError, match="expected real samples in rows"):
        mixture.score_samples(x[:, 0])
    with pytest.raises(ValueError, match="expecting 4 features"):
        mixture.predict(x[:, :3])


def test_diagnostics_tell_how_every_restart_ended(blobs):
    mixture = GaussianMixture(3, n_init=4, init_params="random", random_state=0).fit(blobs)
    result = mixture.diagnostics_
    best = max(range(4), key=result["lower_bound"].__getitem__)
    assert result["lower_bound"][best] == mixture.lower_bound_
    assert result["n_iter"][best] == mixture.n_iter_
    assert result["converged"][best] == mixture.converged_
    assert result["failed"] == [False] * 4
    alone = GaussianMixture(3, init_params="random", random_state=0).fit(blobs)
    assert result["lower_bound"][0] == pytest.approx(alone.lower_bound_, abs=1e-12)
    assert result["n_iter"][0] == alone.n_iter_
