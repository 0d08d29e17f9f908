import math
from dataclasses import replace

import numpy as np

from cellxai.explain.results.rows import Measure, ScoreRow
from cellxai.explain.results.score_arrays import Results, mean, read_results, score_arrays
from cellxai.explain.results.store import Store

ROW = ScoreRow("a", "lime", "gini", 0, 0.2, math.nan, "ok", "", 100, 0, 2.0)
GINI = Measure("gini", "Gini", "complexity", "higher", 0.0, 1.0, "Chalasani et al. 2020")


def test_a_store_tells_all_that_tables_need(tmp_path):
    store = Store(tmp_path / "results.sqlite")
    explainers = {
        "explainer 'lime'": "cellxai.explain.lime.lime.Lime()",
        "explainer 'dots'": "cellxai.explain.controls.RandomAttribution()",
    }
    store.bind({"model": "sha256:0", **explainers}, [GINI])
    store.write([ROW], inapplicable=[("b", "gini")])
    actual = read_results(store)
    assert (actual.rows, actual.measures) == (store.rows(), {"gini": GINI})
    assert (actual.controls, actual.inapplicable) == ({"dots"}, {("b", "gini")})


def test_a_metric_has_the_mean_of_the_seeds_and_none_where_one_failed():
    rows = [
        ROW,
        replace(ROW, seed=1, value=0.4),
        replace(ROW, image="c"),
        replace(ROW, image="c", seed=1, value=math.nan),
        replace(ROW, image="b", explainer="dots", value=math.nan),
    ]
    results = Results(rows, [], {"gini": GINI}, controls=frozenset({"dots"}))
    (scores,) = score_arrays(results)
    assert (scores.images, scores.explainers) == (("a", "b", "c"), ("lime", "dots"))
    nan = math.nan
    np.testing.assert_allclose(scores.values, [[0.3, nan], [nan, nan], [nan, nan]])
    np.testing.assert_array_equal(scores.judged, [[True, False], [False, True], [True, False]])
    assert scores.scored == ("lime",)
    assert results.planned == {("a", 0), ("a", 1), ("b", 0), ("c", 0), ("c", 1)}


def test_what_a_metric_can_prove_decides_its_place_and_unknown_families_follow():
    families = {"m": "mine", "g": "complexity", "t": "truth", "a": "faithfulness"}
    measures = {name: replace(GINI, metric=name, family=families[name]) for name in families}
    rows = [replace(ROW, metric=name) for name in families]
    assert [scores.measure.metric for scores in score_arrays(Results(rows, [], measures))] == [
        "t", "a", "g", "m",
    ]  # fmt: skip


def test_the_mean_forgets_what_is_no_number_and_the_order():
    values = [1e16, 1.0, -1e16, math.nan, 3.0]
    assert mean(values) == mean(values[::-1]) == 1.0
    assert math.isnan(mean([math.nan]))
