import math
from dataclasses import replace

import pytest

from cellxai.explain.results.rows import Measure, ScoreRow
from cellxai.explain.results.score_arrays import Results
from cellxai.explain.results.score_summary import Counts, compare, summarise

ROW = ScoreRow("a", "lime", "gini", 0, 0.2, math.nan, "ok", "", 100, 0, 2.0)
GINI = Measure("gini", "Gini", "complexity", "higher", 0.0, 1.0, "Chalasani et al. 2020")
OVERLAP = Measure("overlap", "mass", "localisation", "higher", 0.0, 1.0, "")


def results_of(rows: list[ScoreRow], *inapplicable: tuple[str, str], controls=()) -> Results:
    measures = {measure.metric: measure for measure in (GINI, OVERLAP)}
    return Results(rows, [], measures, frozenset(inapplicable), frozenset(controls))


def test_seeds_are_averaged_before_images():
    """Image b has one seed only: it weighs as much as image a with its two."""
    rows = [ROW, replace(ROW, seed=1, value=0.4), replace(ROW, image="b", value=0.9)]
    (summary,) = summarise(results_of(rows))
    assert summary.score.mean == pytest.approx((0.3 + 0.9) / 2)
    assert (summary.score.n, summary.measure, summary.counts.rows) == (2, GINI, 3)
    assert (summary.forwards, summary.seconds) == (100, 2.0)


def test_every_fate_of_a_row_is_counted_once():
    rows = [
        ROW,
        replace(ROW, image="b", value=math.nan, status="degraded", reason="few samples"),
        replace(ROW, image="c", value=0.6, status="degraded", reason="few samples"),
        replace(ROW, image="d", value=math.nan, status="unsupported", reason="no layer"),
        replace(ROW, image="e", value=math.nan, status="failed", reason="out of memory"),
        replace(ROW, explainer="edges", image="f"),
        replace(ROW, explainer="edges", metric="overlap", image="a", chance=0.1),
        replace(ROW, explainer="edges", metric="overlap", image="b", chance=0.3),
    ]
    actual = {
        (summary.measure.metric, summary.explainer): summary
        for summary in summarise(results_of(rows, ("c", "overlap"), ("d", "overlap")))
    }
    counts = actual["gini", "lime"].counts
    assert counts == Counts(
        rows=5, scored=2, degenerate=1, unsupported=1, failed=1, missing=1, inapplicable=0,
        degraded=2,
    )  # fmt: skip
    fates = (counts.scored, counts.degenerate, counts.unsupported, counts.failed)
    assert sum(fates) == counts.rows
    assert (actual["gini", "lime"].status, actual["gini", "lime"].reason) == (
        "failed", "out of memory",
    )  # fmt: skip
    assert actual["overlap", "edges"].chance == pytest.approx(0.2)
    assert math.isnan(actual["gini", "edges"].chance)
    nobody = actual["overlap", "lime"]
    assert (nobody.counts.rows, nobody.counts.missing, nobody.counts.inapplicable) == (0, 4, 2)
    assert nobody.verdict.answer == "untestable"


def test_a_control_has_no_verdict_and_the_rest_is_held_against_it():
    rows = [
        replace(ROW, image=str(i), explainer=name, value=0.1 * i + gain)
        for i in range(12)
        for name, gain in (("good", 0.3), ("same", 0.0), ("random", 0.0))
    ]
    verdicts = {
        summary.explainer: summary.verdict
        for summary in summarise(results_of(rows, controls=["random"]))
    }
    assert verdicts["random"] is None
    assert (verdicts["good"].answer, verdicts["same"].answer) == ("yes", "no")


def test_explainers_are_compared_image_by_image():
    rows = []
    for i in range(12):
        lime = replace(ROW, image=str(i), value=0.1 * i)
        rows += [lime, replace(lime, explainer="edges", value=0.1 * i - 0.01 * (i + 1))]
    (test,) = compare(results_of(rows))["gini"]
    assert (test.first, test.second, test.n) == ("edges", "lime", 12)
    assert test.p < 0.001
    assert test.median_difference == pytest.approx(-0.065)
