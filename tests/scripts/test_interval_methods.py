"""The intervals that ours are measured beside, against SciPy and brute force."""

import interval_methods
import numpy as np
import pytest
from bench_intervals import cell, main, shares
from interval_methods import bca, delong_error, logit_interval, percentile, student, wilson
from scipy.stats import binom, binomtest, bootstrap, ttest_1samp


@pytest.mark.parametrize(("method", "name"), [(percentile, "percentile"), (bca, "BCa")])
def test_resampled_intervals_are_scipys(method, name, monkeypatch):
    n, values = 25, np.random.default_rng(0).gamma(2.0, size=(2, 25))
    counts = np.random.default_rng(1).multinomial(n, np.full(n, 1 / n), 20_000).astype(float)
    monkeypatch.setattr(interval_methods, "resampled_counts", lambda n: counts)
    ends = np.stack(method(values), 1)
    for ours, sample in zip(ends, values, strict=True):
        theirs = bootstrap((sample,), np.mean, n_resamples=20_000, method=name, rng=2)
        expected = theirs.confidence_interval
        assert ours == pytest.approx((expected.low, expected.high), abs=0.03)


def test_students_and_wilsons_are_scipys():
    values = np.random.default_rng(0).normal(size=(3, 9))
    expected = ttest_1samp(values, 0, axis=1).confidence_interval(0.95)
    np.testing.assert_allclose(student(values), (expected.low, expected.high))
    of_scipy = binomtest(17, 20).proportion_ci(0.95, method="wilson")
    ours = [float(end) for end in wilson(np.array(0.85), 20.0)]
    assert ours == pytest.approx((of_scipy.low, of_scipy.high))


def test_delongs_error_is_that_of_all_pairs_of_pairs():
    random = np.random.default_rng(0)
    scores, positive = random.integers(0, 6, 14).astype(float), np.arange(14) < 6
    above, below = scores[positive], scores[~positive]
    m, n = len(above), len(below)
    wins = np.sign(above[:, None] - below) / 2 + 0.5
    area = wins.mean()
    # Variance of a U-statistic from pairs that share an image, summed by hand.
    of_rows = sum((np.mean(wins[i]) - area) ** 2 for i in range(m)) / (m - 1) / m
    of_columns = sum((np.mean(wins[:, j]) - area) ** 2 for j in range(n)) / (n - 1) / n
    assert delong_error(scores, positive) == pytest.approx((of_rows + of_columns) ** 0.5)


def test_delongs_error_is_the_spread_of_the_area_over_new_images():
    random = np.random.default_rng(1)
    positive = np.arange(200) < 80
    areas, errors = [], []
    for _ in range(300):
        scores = random.normal(size=200) + positive
        above, below = scores[positive][:, None], scores[~positive]
        areas.append((above > below).mean())
        errors.append(delong_error(scores, positive))
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.12)


def test_an_interval_of_log_odds_stays_between_0_and_1_and_is_even_there():
    low, high = logit_interval(0.95, 0.04)
    assert 0 < low < 0.95 < high < 1
    odds = np.log(np.array([low, 0.95, high]) / (1 - np.array([low, 0.95, high])))
    assert odds[1] - odds[0] == pytest.approx(odds[2] - odds[1])


def test_a_cell_counts_the_intervals_that_hold_the_truth():
    ends = np.array([[0.0, 1.0], [0.2, 0.4], [0.5, 0.7], [0.6, 0.9]])
    assert cell(ends, 0.5) == (50.0, pytest.approx(0.425))


def test_the_coverage_of_a_share_is_exact():
    rows = {row.of: row for row in shares(5, 0)}
    covered, width = rows["0.9"].cells["Wilson"]
    assert covered == pytest.approx(100 * binom.pmf([4, 5], 5, 0.9).sum())  # 3 of 5 ends at 0.88
    assert 0 < width < 1


def test_a_table_names_every_method(monkeypatch, capsys):
    words = ["bench_intervals.py", "grouped", "--replications", "3", "--sizes", "5"]
    monkeypatch.setattr("sys.argv", words)
    main()
    printed = capsys.readouterr().out
    assert "| share 0.8, groups of 10 | 5 |" in printed
    assert "ours" in printed
