"""Cramér's V: against scipy, at its ends, and what its interval covers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats.contingency import association

from cellxai.evaluation.association import associate


def draw(n: int, v: float, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two balanced columns of two values each, of which V is known."""
    rows = random.integers(0, 2, n)
    return rows, np.where(random.random(n) < (1 + v) / 2, rows, 1 - rows)


@given(seed=st.integers(0, 99), shape=st.tuples(st.integers(2, 4), st.integers(2, 4)))
@settings(max_examples=20)
def test_v_is_scipys_but_for_the_correction_which_vanishes_with_many(seed, shape):
    random = np.random.default_rng(seed)
    rows = np.r_[np.arange(shape[0]), random.integers(0, shape[0], 20_000)]
    columns = np.where(random.random(len(rows)) < 0.4, rows % shape[1], 0)
    columns[: shape[1]] = np.arange(shape[1])
    counts = np.zeros(shape, int)
    np.add.at(counts, (rows, columns), 1)
    both = associate(rows, columns)
    assert both.v == pytest.approx(association(counts, method="cramer"), abs=2e-3)
    assert both.interval[0] <= both.v <= both.interval[1]


def test_what_fixes_the_other_is_said_and_has_a_v_of_one():
    plate, label = np.repeat([0, 1, 2], 8), np.repeat([0, 1, 1], 8)
    both = associate(plate, label)
    assert (both.rows_fix_columns, both.columns_fix_rows) == (True, False)
    assert both.v == pytest.approx(1.0)
    assert both.interval[0] > 0.5
    assert both.interval[1] == 1.0
    other = associate(label, plate)
    assert (other.rows_fix_columns, other.columns_fix_rows) == (False, True)


def test_two_columns_of_chance_have_none():
    both = associate(np.tile([0, 0, 1, 1], 6), np.tile([0, 1], 12))
    assert (both.v, both.interval[0]) == (0.0, 0.0)
    assert not both.rows_fix_columns


@pytest.mark.slow
@pytest.mark.parametrize("v", [0.0, 0.3, 0.7])
def test_the_interval_covers(v):
    random = np.random.default_rng(0)
    intervals = [associate(*draw(80, v, random)).interval for _ in range(300)]
    covered = np.mean([low <= v <= high for low, high in intervals])
    assert covered > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300) - 0.02
