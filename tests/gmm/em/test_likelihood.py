import pytest
import torch
from chunked_statistics import statistics_of

from gmm.covariance import COVARIANCES
from gmm.em.likelihood import Likelihood, regulariser
from gmm.estimator import GaussianMixture
from gmm.samples.in_memory import InMemory


def maximise(statistics, covariance, reg_covar):
    maximum = Likelihood(covariance, reg_covar).maximise(statistics)
    return maximum.parameters, maximum.valid


def test_the_m_step_does_not_depend_on_the_reference(covariance_type, blobs, soft_responsibilities):
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    about_mean = statistics_of(x, soft_responsibilities, covariance, 100)
    elsewhere = statistics_of(x, soft_responsibilities, covariance, 100, x[0])
    left, _ = maximise(about_mean, covariance, 1e-6)
    right, _ = maximise(elsewhere, covariance, 1e-6)
    torch.testing.assert_close(left.means + x.mean(0), right.means + x[0])
    torch.testing.assert_close(left.precisions_cholesky, right.precisions_cholesky)


def test_a_component_without_samples_gets_weight_zero_and_the_regulariser(blobs):
    covariance, x = COVARIANCES["diag"], torch.from_numpy(blobs)
    resp = torch.zeros(1, 2, len(x), dtype=torch.float64)
    resp[:, 0] = 1
    parameters, valid = maximise(statistics_of(x, resp, covariance, 100), covariance, 0.25)
    assert valid.all()
    assert parameters.weights[0, 1] < 1e-15
    torch.testing.assert_close(
        parameters.precisions_cholesky[0, 1], torch.full((4,), 2.0, dtype=torch.float64)
    )


def test_float32_samples_keep_a_unit_variance_at_mean_1000():
    x = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0)) + 1000
    expected = x.double().var(0, correction=0)
    covariance, resp = COVARIANCES["diag"], torch.ones(1, 1, len(x), dtype=torch.float64)
    parameters, _ = maximise(statistics_of(x, resp, covariance, 1000), covariance, 0.0)
    variances = covariance.covariances(parameters.precisions_cholesky)[0, 0].double()
    torch.testing.assert_close(variances, expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_auto_follows_the_unit_of_the_samples_where_it_would_drown_or_vanish(blobs, unit):
    samples = InMemory(torch.from_numpy(blobs * unit))
    added = regulariser("auto", samples)
    assert 1e-14 * samples.variance <= added <= 1e-3 * samples.variance
    assert regulariser(0.25, samples) == 0.25  # a number is what it says, whatever the unit


def test_auto_is_the_usual_number_where_all_samples_are_equal():
    assert regulariser("auto", InMemory(torch.ones(5, 2, dtype=torch.float64))) == 1e-6


def test_the_bound_is_the_mean_log_density_of_a_sample(covariance_type, blobs):
    covariance, samples = COVARIANCES[covariance_type], InMemory(torch.from_numpy(blobs))
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(blobs)
    objective, parameters = Likelihood(covariance, 0.0), mixture.parameters_
    statistics = objective.expectation(samples, parameters.translate(-samples.reference))
    bound = objective.lower_bound(statistics, parameters, parameters)
    assert float(bound) == pytest.approx(mixture.score_samples(blobs).mean(), rel=1e-11)
