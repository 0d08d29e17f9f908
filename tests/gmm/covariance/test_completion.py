"""Completion of a batch of runs, of every type, beside the formulas for matrices."""

import numpy as np
import pytest
import torch
from em_by_rows import complete, log_marginals

from gmm.covariance import COVARIANCES
from gmm.covariance.noise import Noisy
from gmm.samples.patterns import arrange

EXACTLY = {"rtol": 1e-9, "atol": 1e-10}


@pytest.fixture
def components(covariance_type):
    """Factors, means and dense matrices of two runs of three components of five features."""
    covariance, source = COVARIANCES[covariance_type], torch.Generator().manual_seed(4)
    factors = torch.randn(2, 3, 5, 5, dtype=torch.float64, generator=source)
    matrices = factors @ factors.mT + torch.eye(5)
    inner = torch.Size([2, *covariance.inner_shape(3, 5)])
    if len(inner) == 4:
        values = matrices[:, : inner[1]]
    else:
        values = matrices.diagonal(dim1=2, dim2=3)[..., : inner[2]]
    chol, _ = covariance.factorise(values.contiguous())
    means = torch.randn(2, 3, 5, dtype=torch.float64, generator=source)
    return covariance, chol, means, covariance.dense(chol, 3, 5)


@pytest.fixture
def samples():
    """Samples with missing values: none, all, and others of a row; and responsibilities."""
    source = torch.Generator().manual_seed(5)
    x = torch.randn(40, 5, dtype=torch.float64, generator=source)
    x[torch.rand(40, 5, generator=source) < 0.5] = float("nan")
    x[0], x[1] = float("nan"), 1.0
    return x, torch.rand(2, 3, 40, dtype=torch.float64, generator=source)


def reference(x, means, matrices, resp):
    """Log densities of a run, and its expected sums of values and of products."""
    densities = np.stack([log_marginals(row, means, matrices) for row in x], 1)
    first, second = np.zeros_like(means), np.zeros_like(matrices)
    for row, shares in zip(x, resp.T, strict=True):
        for k, share in enumerate(shares):
            whole, spread = complete(row, means[k], matrices[k])
            first[k] += share * whole
            second[k] += share * (np.outer(whole, whole) + spread)
    return densities, first, second


def test_every_run_is_completed_by_its_conditional_gaussians(components, samples):
    covariance, chol, means, matrices = components
    x, resp = samples
    completion_of = covariance.completer(chol, means)
    density = torch.zeros(2, 3, 40, dtype=torch.float64)
    sums = []
    for part in arrange(x.isnan(), 3):
        completion = completion_of(part.read(x, x.isnan(), None, torch.zeros(5).double()))
        density[..., part.rows] = completion.log_density
        sums.append(completion.moments(resp[..., part.rows]))
    for run in range(2):
        values = (x, means[run], matrices[run], resp[run])
        expected, first, second = reference(*(value.numpy() for value in values))
        torch.testing.assert_close(density[run], torch.from_numpy(expected), **EXACTLY)
        found = sum(part[0][run] for part in sums)
        torch.testing.assert_close(found, torch.from_numpy(first), **EXACTLY)
        assert_same_sums(covariance, sum(part[1] for part in sums)[[run]], second, resp[[run]])


def assert_same_sums(covariance, second, expected, resp):
    """Second moments in the order of a type are those of matrices: the same covariances follow."""
    counts, zeros = resp.sum(-1), torch.zeros(1, 3, 5, dtype=torch.float64)
    found = covariance.estimate(counts, zeros, second, 0.0)
    matrices = torch.from_numpy(expected)[None]
    if found.ndim == 4:
        matrices = covariance.pool(matrices) / covariance.pool(counts)[..., None, None]
    else:
        matrices = covariance.pool(matrices.diagonal(dim1=2, dim2=3)) / counts[..., None]
        matrices = matrices / (5 // found.shape[-1])
    torch.testing.assert_close(found, matrices, **EXACTLY)


@pytest.mark.parametrize("shape", [(40, 5), (40, 5, 5)])
def test_without_noise_completion_is_the_same(components, samples, shape):
    covariance, chol, means, _ = components
    x, resp = samples
    known = ~x.isnan()
    noisy = Noisy(x.where(known, 0.0), known, torch.zeros(shape, dtype=torch.float64))
    completion = covariance.complete_noisy(chol, means, noisy)
    density, first, second = [], 0, 0
    for row in range(40):
        for part in arrange(x[[row]].isnan(), 3):
            read = part.read(x[[row]], x[[row]].isnan(), None, torch.zeros(5).double())
            alone = covariance.completer(chol, means)(read)
            density.append(alone.log_density)
            moments = alone.moments(resp[..., [row]])
            first, second = first + moments[0], second + moments[1]
    torch.testing.assert_close(completion.log_density, torch.cat(density, -1), **EXACTLY)
    found = completion.moments(resp)
    torch.testing.assert_close(found[0], first, **EXACTLY)
    torch.testing.assert_close(found[1], second, **EXACTLY)
