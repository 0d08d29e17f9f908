from typing import get_args

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gmm.estimator import GaussianMixture
from gmm.options import CovarianceType

NAN = float("nan")
SETTINGS = {"random_state": 0, "missing": "marginalize"}


def test_nan_is_an_error_unless_declared(holed):
    with pytest.raises(ValueError, match=r"x\[0, 0\] is NaN"):
        GaussianMixture(2).fit(holed)
    complete = GaussianMixture(2, random_state=0).fit(np.nan_to_num(holed))
    with pytest.raises(ValueError, match=r"x\[0, 0\] is NaN"):
        complete.score_samples(holed)
    with pytest.raises(ValueError, match="missing='drop', expected one of error, marginalize"):
        GaussianMixture(2, missing="drop").fit(holed)


def test_infinity_is_an_error_even_so(holed):
    holed[3, 1] = np.inf
    with pytest.raises(ValueError, match=r"x\[3, 1\] is inf"):
        GaussianMixture(2, **SETTINGS).fit(holed)


def test_a_column_that_is_never_known_is_an_error(holed):
    holed[:, 2] = NAN
    with pytest.raises(ValueError, match="column 2 of x is NaN in every sample that counts"):
        GaussianMixture(2, **SETTINGS).fit(holed)


def test_with_nothing_missing_it_is_the_ordinary_fit(covariance_type, blobs):
    settings = {"covariance_type": covariance_type, "random_state": 0}
    ordinary = GaussianMixture(3, **settings).fit(blobs)
    declared = GaussianMixture(3, missing="marginalize", **settings).fit(blobs)
    np.testing.assert_allclose(declared.means_, ordinary.means_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(declared.lower_bounds_, ordinary.lower_bounds_, rtol=0, atol=1e-10)
    found, expected = declared.score_samples(blobs), ordinary.score_samples(blobs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


def test_a_hole_in_a_row_of_no_weight_changes_nothing(covariance_type, blobs):
    settings = {"covariance_type": covariance_type, "max_iter": 20, "tol": 0.0, **SETTINGS}
    settings["means_init"] = blobs[[0, 200, 400]]
    ordinary = GaussianMixture(3, **settings)
    holed = GaussianMixture(3, **settings)
    weights = np.ones(len(blobs))
    weights[5] = 0
    with pytest.warns(UserWarning, match="did not converge"):
        ordinary.fit(blobs, sample_weight=weights)
    damaged = blobs.copy()
    damaged[5, 2] = NAN
    start = {"weights_init": ordinary.weights_, "means_init": ordinary.means_}
    start["precisions_init"] = ordinary.precisions_
    with pytest.warns(UserWarning, match="did not converge"):
        holed.set_params(**start).fit(damaged, sample_weight=weights)
    with pytest.warns(UserWarning, match="did not converge"):
        ordinary.set_params(**start).fit(blobs, sample_weight=weights)
    np.testing.assert_allclose(holed.lower_bounds_, ordinary.lower_bounds_, rtol=0, atol=1e-10)


@pytest.mark.filterwarnings("ignore:the best of 1 runs did not converge")
@pytest.mark.parametrize("covariance_type", get_args(CovarianceType))
def test_the_lower_bound_never_decreases(covariance_type, holed):
    settings = {"tol": 1e-9, "max_iter": 20, "reg_covar": 0.0, "rank": 2, **SETTINGS}
    mixture = GaussianMixture(2, covariance_type=covariance_type, **settings)
    mixture.fit(holed[::2])
    assert len(mixture.lower_bounds_) > 5
    assert (np.diff(mixture.lower_bounds_) > -1e-11).all()


@pytest.mark.slow
def test_means_are_nearer_than_those_of_the_complete_rows_alone():
    random = np.random.default_rng(4)
    mixing = random.normal(size=(2, 5, 5)) / 2
    truth = np.stack([np.zeros(5), np.full(5, 5.0)])
    parts = [random.normal(size=(300, 5)) @ mixing[k] + truth[k] for k in range(2)]
    x = np.concatenate(parts)
    x[random.random(x.shape) < 0.3] = NAN
    complete = x[~np.isnan(x).any(1)]

    def error(samples):
        means = GaussianMixture(2, **SETTINGS).fit(samples).means_
        return np.square(means[means.mean(1).argsort()] - truth).sum()

    assert error(x) < 0.7 * error(complete)


def test_tensors_with_holes_are_differentiable_where_they_are_known(blobs, holed):
    mixture = GaussianMixture(2, **SETTINGS).fit(torch.from_numpy(blobs))
    x = torch.from_numpy(holed[:20]).requires_grad_()
    mixture.score_samples(x).sum().backward()
    assert x.grad is not None
    assert (x.grad[x.isnan()] == 0).all()
    assert x.grad[~x.isnan()].isfinite().all()
    assert (x.grad[~x.isnan()] != 0).all()


class OperationCount(TorchDispatchMode):
    """Counts what would be launched on a GPU."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.filterwarnings("ignore:the best of 1 runs did not converge")
def test_operations_do_not_grow_with_the_number_of_patterns():
    def count_operations(n_samples):
        random = np.random.default_rng(0)
        x = random.normal(size=(n_samples, 12))
        x[random.random(x.shape) < 0.4] = NAN
        mixture = GaussianMixture(2, max_iter=3, tol=0.0, **SETTINGS)
        mixture.fit(x[:50])
        with OperationCount() as operations:
            mixture.set_params(warm_start=True).fit(x)
        return operations.count

    assert count_operations(1500) < 1.5 * count_operations(300)
