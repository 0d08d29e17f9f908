import pytest
import torch

from gmm.covariance import COVARIANCES
from gmm.em import few_samples
from gmm.em.log_density import log_density, responsibilities
from gmm.em.objective import expected_statistics
from gmm.em.parameters import Parameters
from gmm.estimator import GaussianMixture
from gmm.samples.in_memory import InMemory

CLOSE = {"rtol": 1e-10, "atol": 1e-9}


@pytest.fixture
def parameters(covariance_type, blobs):
    return (
        GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(blobs).parameters_
    )


def test_the_e_step_sums_what_the_responsibilities_are_by_definition(
    covariance_type, parameters, blobs
):
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    samples = InMemory(x)
    about = parameters.translate(-samples.reference)
    statistics = expected_statistics(samples, about, covariance)
    resp = responsibilities(x, parameters, covariance).mT
    torch.testing.assert_close(statistics.counts, resp.sum(-1), **CLOSE)
    torch.testing.assert_close(statistics.first, resp @ (x - samples.reference), **CLOSE)
    expected = log_density(x, parameters, covariance).sum(-1)
    torch.testing.assert_close(statistics.log_density, expected, **CLOSE)


def test_the_sums_do_not_depend_on_the_chunks(covariance_type, parameters, blobs, monkeypatch):
    covariance, samples = COVARIANCES[covariance_type], InMemory(torch.from_numpy(blobs))
    about = parameters.translate(-samples.reference)
    whole = expected_statistics(samples, about, covariance)
    monkeypatch.setattr("gmm.em.objective.chunk_size", lambda *_: 7)
    parts = expected_statistics(samples, about, covariance)
    for name in ("counts", "first", "second", "log_density"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), **CLOSE)


@pytest.mark.parametrize("name", ["full", "diag"])
def test_no_share_of_a_sample_is_summed_that_would_be_subnormal(name, monkeypatch):
    monkeypatch.setattr(few_samples, "MOST_NUMBERS", 0)
    covariance, d = COVARIANCES[name], 8
    # Squared distance 184: a share of exp(-92), which is 1e-40.
    means = torch.stack([torch.zeros(d), torch.full((d,), (184 / d) ** 0.5)]).double()[None]
    chol = torch.eye(d) if name == "full" else torch.ones(d)
    chol = chol.double().expand(1, *covariance.inner_shape(2, d))
    parameters = Parameters(torch.full((1, 2), 0.5, dtype=torch.float64), means, chol)
    samples = InMemory(torch.zeros(100, d), about=torch.zeros(d, dtype=torch.float64))
    single = expected_statistics(samples, parameters, covariance)
    double = expected_statistics(samples, parameters, covariance, double=torch.tensor([True]))
    assert single.counts.tolist() == [[100, 0]]
    assert 0 < float(double.counts[0, 1]) < 1e-37
