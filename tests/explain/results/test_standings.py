import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare, rankdata

from cellxai.explain.results.rows import Measure, ScoreRow
from cellxai.explain.results.score_arrays import Results
from cellxai.explain.results.score_summary import compare, summarise
from cellxai.explain.results.standings import rank_explainers

ROW = ScoreRow("a", "lime", "insertion", 0, 0.2, math.nan, "ok", "", 100, 0, 2.0)
MEASURES = {
    name: Measure(name, name, family, direction, 0.0, 1.0, "")
    for name, family, direction in (
        ("insertion", "faithfulness", "higher"),
        ("deletion", "faithfulness", "lower"),
        ("gini", "complexity", "higher"),
    )
}
NAMES = ("lime", "saliency", "occlusion", "random")


def results_of(rows: list[ScoreRow]) -> Results:
    return Results(rows, [], MEASURES, controls=frozenset({"random"}))


def scored(n: int = 14, metrics=("insertion", "deletion")) -> list[ScoreRow]:
    generator = np.random.default_rng(0)
    return [
        replace(ROW, image=str(i), explainer=name, metric=metric, value=generator.normal())
        for i in range(n)
        for name in NAMES
        for metric in metrics
    ]


def test_a_metric_has_the_test_of_scipy():
    rows = scored(metrics=("insertion",))
    _, standing = rank_explainers(results_of(rows))
    columns = [[row.value for row in rows if row.explainer == name] for name in NAMES]
    expected = friedmanchisquare(*columns)
    assert (standing.friedman.n, standing.left_out) == (14, 0)
    assert standing.friedman.statistic == pytest.approx(expected.statistic)
    assert standing.friedman.p == pytest.approx(expected.pvalue)


def test_a_family_ranks_the_mean_ranks_of_each_image_and_sees_it_once():
    rows = scored()
    family = rank_explainers(results_of(rows))[0]
    by_metric = []
    for metric, sign in (("insertion", -1), ("deletion", 1)):
        own = {(row.image, row.explainer): row.value for row in rows if row.metric == metric}
        costs = [[sign * own[str(i), name] for name in sorted(NAMES)] for i in range(14)]
        by_metric.append(rankdata(costs, axis=1))
    joint = rankdata(np.mean(by_metric, 0), axis=1)
    assert (family.level, family.name, family.n_metrics) == ("family", "faithfulness", 2)
    assert family.friedman.n == 14
    expected = dict(zip(sorted(NAMES), joint.mean(0), strict=True))
    assert family.friedman.mean_ranks == pytest.approx(expected)


def test_a_family_of_one_metric_stands_like_its_metric():
    family, metric = rank_explainers(results_of(scored(metrics=("insertion",))))
    assert family.friedman == metric.friedman


def test_an_image_where_somebody_was_not_judged_is_left_out_and_counted():
    rows = [row for row in scored() if (row.image, row.explainer) != ("3", "lime")]
    family, *metrics = rank_explainers(results_of(rows))
    assert [(standing.friedman.n, standing.left_out) for standing in (family, *metrics)] == [
        (13, 1)
    ] * 3


def test_a_degenerate_map_ranks_last_and_its_image_stays():
    rows = [
        replace(row, value=math.nan) if (row.image, row.explainer) == ("3", "lime") else row
        for row in scored(metrics=("insertion",))
    ]
    _, before = rank_explainers(results_of(scored(metrics=("insertion",))))
    _, after = rank_explainers(results_of(rows))
    assert after.friedman.n == 14
    assert after.friedman.mean_ranks["lime"] >= before.friedman.mean_ranks["lime"]
    assert sum(after.friedman.mean_ranks.values()) == pytest.approx(10)


def test_who_has_no_score_at_all_is_not_ranked_and_costs_the_others_nothing():
    rows = scored()
    nothing = [replace(row, value=math.nan) for row in rows if row.explainer == "lime"]
    with_it = [replace(row, explainer="unsupported") for row in nothing]
    for before, after in zip(
        rank_explainers(results_of(rows + with_it)), rank_explainers(results_of(rows)), strict=True
    ):
        assert before.friedman == after.friedman


def test_an_image_counts_in_a_family_with_the_metrics_that_judged_it():
    rows = [row for row in scored() if row.metric == "insertion" or int(row.image) < 5]
    family = rank_explainers(results_of(rows))[0]
    assert (family.friedman.n, family.left_out) == (14, 0)


@pytest.mark.slow
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(random):
    rows = scored(6, ("insertion", "deletion", "gini"))
    rows += [replace(row, seed=1, value=row.value / 3) for row in rows]
    shuffled = random.sample(rows, len(rows))
    results, reordered = results_of(rows), results_of(shuffled)
    assert rank_explainers(results) == rank_explainers(reordered)
    assert compare(results) == compare(reordered)
    assert [str(line) for line in summarise(results)] == [
        str(line) for line in summarise(reordered)
    ]


def test_a_control_that_fails_gives_no_method_a_lead():
    """A method that loses to the control wherever both have a score beats it nowhere."""
    of_control = {"insertion": 0.9, "deletion": 0.1}
    rows = [
        replace(ROW, image=str(i), explainer=name, metric=metric, value=value)
        for i in range(30)
        for metric, better in of_control.items()
        for name, value in (("lime", 0.5), ("random", math.nan if i < 25 else better))
    ]
    family, *metrics = rank_explainers(results_of(rows))
    for standing in (family, *metrics):
        assert (standing.verdicts["lime"].answer, standing.verdicts["lime"].n) != ("yes", 30)
        assert standing.verdicts["lime"].n == 5
        assert standing.verdicts["lime"].p == 1.0


def test_a_metric_under_which_a_control_fails_is_left_out_of_its_image_alone():
    rows = [
        replace(row, value=math.nan)
        if (row.explainer, row.metric) == ("random", "deletion") else row
        for row in scored()
    ]  # fmt: skip
    family = rank_explainers(results_of(rows))[0]
    only = rank_explainers(results_of([row for row in rows if row.metric == "insertion"]))[0]
    assert family.verdicts == only.verdicts
    assert family.verdicts["lime"].n == 14


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["none", "the control", "methods where they would lose"])
def test_families_of_chance_beat_the_controls_at_most_at_the_level(failing):
    rng = np.random.default_rng(5)
    n_tables, wins = 400, 0
    for _ in range(n_tables):
        values = rng.normal(size=(2, 21, 3))  # metric, image, two methods and the control
        if failing == "the control":
            values[..., 2][rng.random((2, 21)) < 0.4] = np.nan
        elif failing == "methods where they would lose":
            values[..., :2][values[..., :2] < values[..., 2:]] = np.nan
        rows = [
            replace(ROW, image=str(i), explainer=name, metric=metric, value=sign * values[m, i, k])
            for m, (metric, sign) in enumerate((("insertion", 1), ("deletion", -1)))
            for i in range(21)
            for k, name in enumerate(("lime", "saliency", "random"))
            if rng.random() > 0.1  # the others are not there yet
        ]
        verdicts = rank_explainers(results_of(rows))[0].verdicts
        wins += any(verdict.answer == "yes" for verdict in verdicts.values())
    assert wins / n_tables <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_tables)
