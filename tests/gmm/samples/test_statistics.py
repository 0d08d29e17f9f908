import dataclasses

import torch

from gmm.covariance import COVARIANCES
from gmm.em.likelihood import Likelihood
from gmm.samples.in_memory import InMemory
from gmm.samples.statistics import LARGEST_CHUNK, SMALLEST_CHUNK, chunk_size, summarise, total


def statistics_of(x, resp, covariance, size, reference=None):
    samples = InMemory(x)
    if reference is not None:
        samples.__dict__["reference"] = reference  # where a cached property keeps its value
    parts = zip(samples.chunks(covariance, size), resp.split(size, 2), strict=True)
    return total(summarise(chunk, part, part[:, 0]) for chunk, part in parts)


def maximise(statistics, covariance, reg_covar):
    maximum = Likelihood(covariance, reg_covar).maximise(statistics)
    return maximum.parameters, maximum.valid


def test_chunks_add_up_to_the_whole(covariance_type, blobs, soft_responsibilities):
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    whole = statistics_of(x, soft_responsibilities, covariance, len(x))
    parts = statistics_of(x, soft_responsibilities, covariance, 64)
    for field in dataclasses.fields(whole):
        left, right = getattr(whole, field.name), getattr(parts, field.name)
        torch.testing.assert_close(left, right, rtol=1e-12, atol=1e-11)


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


def test_chunks_stay_within_their_limits():
    assert chunk_size(COVARIANCES["diag"], 1, 1) == LARGEST_CHUNK["cpu"]
    assert chunk_size(COVARIANCES["full"], 100, 1000) == SMALLEST_CHUNK
    usual = chunk_size(COVARIANCES["full"], 16, 32)
    assert SMALLEST_CHUNK < usual < LARGEST_CHUNK["cpu"]
    assert chunk_size(COVARIANCES["full"], 16, 32, torch.float32) > usual
    on_gpu = chunk_size(COVARIANCES["full"], 16, 32, device=torch.device("cuda"))
    assert usual < on_gpu < LARGEST_CHUNK["cuda"]
