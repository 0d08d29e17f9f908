from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, wilcoxon

from cellxai.explain.results.signed_rank import MOST_EXACT, signed_rank_p


@pytest.mark.parametrize("n", [1, 5, 12, 30, MOST_EXACT])
@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_without_ties_it_is_scipys_exact_test(n, alternative):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    expected = wilcoxon(differences, alternative=alternative, method="exact").pvalue
    assert signed_rank_p(differences, alternative) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_many_differences_follow_the_normal_law_with_ties_corrected(alternative):
    differences = np.random.default_rng(0).integers(-3, 5, MOST_EXACT + 60).astype(float)
    expected = wilcoxon(differences, alternative=alternative, method="asymptotic").pvalue
    assert signed_rank_p(differences, alternative) == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.integers(-3, 3).filter(bool), min_size=1, max_size=9), st.integers(0, 2))
def test_with_ties_it_counts_all_signs(values, zeros):
    """The definition by brute force: every sign of every difference is equally likely."""
    differences = np.array(values, dtype=float)
    ranks = rankdata(np.abs(differences))
    signs = np.array(list(product([0, 1], repeat=len(values))))
    as_large = (signs @ ranks >= ranks[differences > 0].sum()).mean()
    padded = np.append(differences, np.zeros(zeros))
    assert signed_rank_p(padded, "greater") == pytest.approx(as_large)


def test_winning_on_every_image_is_the_smallest_p_there_is():
    for n in (1, 6, 20):
        assert signed_rank_p(np.arange(1.0, n + 1), "greater") == pytest.approx(2.0**-n)


def test_nothing_to_tell_apart_is_no_evidence():
    assert signed_rank_p(np.zeros(9)) == signed_rank_p(np.zeros(0)) == 1.0
