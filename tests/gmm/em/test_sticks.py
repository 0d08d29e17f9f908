import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln, digamma, gammaln

from gmm.em.sticks import (
    WEIGHT_PRIORS,
    expected_log_weights,
    expected_weights,
    log_normaliser,
    sums_after,
)

counts = st.lists(st.floats(0.0, 1e5), min_size=1, max_size=12)
concentrations = st.floats(1e-3, 1e3)


def sticks_of(kind, found, concentration):
    return WEIGHT_PRIORS[kind].posterior(torch.tensor([found], dtype=torch.float64), concentration)


@given(counts, concentrations)
def test_a_dirichlet_distribution_is_a_broken_stick(found, concentration):
    sticks = sticks_of("dirichlet_distribution", found, concentration)
    shares = np.array(found) + concentration
    expected_log = digamma(shares) - digamma(shares.sum())
    log_beta = gammaln(shares).sum() - gammaln(shares.sum())
    np.testing.assert_allclose(expected_weights(sticks)[0], shares / shares.sum(), rtol=1e-9)
    np.testing.assert_allclose(expected_log_weights(sticks)[0], expected_log, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_normaliser(sticks)[0], log_beta, rtol=1e-9, atol=1e-7)


@given(counts, concentrations)
def test_a_dirichlet_process_breaks_off_one_component_after_the_other(found, concentration):
    sticks = sticks_of("dirichlet_process", found, concentration)
    left_so_far, log_left_so_far, log_beta, weights, log_weights = 1.0, 0.0, 0.0, [], []
    for k, count in enumerate(found):
        taken, left = 1 + count, concentration + sum(found[k + 1 :])
        weights.append(left_so_far * taken / (taken + left))
        log_weights.append(log_left_so_far + digamma(taken) - digamma(taken + left))
        left_so_far *= left / (taken + left)
        log_left_so_far += digamma(left) - digamma(taken + left)
        log_beta += betaln(taken, left)
    expected = np.array(weights) / sum(weights)
    np.testing.assert_allclose(expected_weights(sticks)[0], expected, rtol=1e-9)
    np.testing.assert_allclose(expected_log_weights(sticks)[0], log_weights, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_normaliser(sticks)[0], log_beta, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("kind", list(WEIGHT_PRIORS))
def test_sticks_come_back_from_scikit_learns_form(kind):
    sticks = sticks_of(kind, [3.0, 0.0, 8.5], 0.25)[0]
    published = WEIGHT_PRIORS[kind].publish(sticks.numpy())
    torch.testing.assert_close(WEIGHT_PRIORS[kind].restore(published), sticks, rtol=0, atol=0)


def test_a_small_rest_does_not_drown_beside_a_large_component():
    rest = sums_after(torch.tensor([1e20, 1e-5, 2e-5], dtype=torch.float64))
    torch.testing.assert_close(rest.tolist(), [1e-5 + 2e-5, 2e-5, 0.0], rtol=0, atol=0)
