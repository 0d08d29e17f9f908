import torch

from gmm.covariance.factor_analysis import (
    centre_moments,
    latent_factor,
    latent_gain,
    n_latent,
    start_loadings,
)
from gmm.covariance.low_rank import LowRank

D, Q, N = 5, 2, 40


def by_loop(x, share, loadings, noise):
    """One M-step of a factor analyser, sample by sample: Ghahramani & Hinton (1996), section 3."""
    sigma = loadings @ loadings.T + noise.diag()
    gain = loadings.T @ torch.linalg.inv(sigma)
    count = share.sum()
    mean = (share[:, None] * x).sum(0) / count
    cross, latent = torch.zeros(D, Q).double(), torch.zeros(Q, Q).double()
    for row, weight in zip(x - mean, share, strict=True):
        z = gain @ row
        cross = cross + weight * row[:, None] * z
        latent = latent + weight * (torch.eye(Q) - gain @ loadings + z[:, None] * z)
    new = cross @ torch.linalg.inv(latent)
    scatter = (share[:, None] * (x - mean)).T @ (x - mean) / count
    return new, (scatter - new @ cross.T / count).diagonal()


def test_an_m_step_is_that_of_a_loop_over_samples():
    source = torch.Generator().manual_seed(0)
    x = torch.randn(N, D, dtype=torch.float64, generator=source) + 2
    share = torch.rand(N, dtype=torch.float64, generator=source)
    loadings = torch.randn(D, Q, dtype=torch.float64, generator=source)
    noise = torch.rand(D, dtype=torch.float64, generator=source) + 0.5
    chol = torch.cat([loadings, noise[:, None]], -1)[None, None]
    covariance, resp = LowRank(Q), share[None, None]
    means, counts = (resp @ x) / share.sum(), resp.sum(-1)
    second = covariance.second_moments(x.T.contiguous(), resp, chol)
    found = covariance.estimate(counts, means, second, 0.0)[0, 0]
    expected = by_loop(x, share, loadings, noise)
    torch.testing.assert_close(found[:, :-1], expected[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found[:, -1], expected[1], rtol=1e-10, atol=1e-10)


def test_gain_and_factor_are_those_of_the_posterior_of_the_latent_variables():
    chol = torch.rand(3, D, Q + 1, dtype=torch.float64) + 0.1
    loadings, noise = chol[..., :-1], chol[..., -1].diag_embed()
    gain = torch.linalg.solve(loadings @ loadings.mT + noise, loadings)
    torch.testing.assert_close(latent_gain(chol), gain)
    factor = latent_factor(chol)
    left_open = torch.eye(Q) - loadings.mT @ gain
    torch.testing.assert_close(torch.linalg.inv(factor @ factor.mT), left_open)


def test_the_start_finds_covariances_of_its_rank_exactly():
    loadings = torch.randn(D, Q, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    # Plus and minus each column: samples of mean 0 with second moments W Wᵀ / q.
    x = torch.cat([loadings, -loadings], 1)
    resp = torch.ones(1, 1, 2 * Q, dtype=torch.float64)
    second = LowRank(Q).second_moments(x, resp)
    moments = centre_moments(second, resp.sum(-1), torch.zeros(1, 1, D, dtype=torch.float64))
    found = start_loadings(moments, Q, 1e-12)[0, 0, :, :-1]
    torch.testing.assert_close(found @ found.T, loadings @ loadings.T / Q, rtol=1e-6, atol=1e-8)


def test_the_number_of_sums_tells_the_number_of_latent_variables():
    for d in (1, 5, 1280):
        for p in (1, 2, 18):
            assert n_latent(d + p + d * p + p * p, d) == p
