import math
from dataclasses import replace

import pytest

from cellxai.explain.store import Row, Store
from cellxai.explain.summary import compare, summarise

ROW = Row("a", "lime", "gini", 0, 0.2, math.nan, "ok", "", 100, 0, 2.0)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "results.sqlite")
    store.bind({"direction of 'gini'": "higher", "direction of 'overlap'": "higher"})
    return store


def test_seeds_are_averaged_before_images(store):
    """Image b has one seed only: it weighs as much as image a with its two."""
    store.write([ROW, replace(ROW, seed=1, value=0.4), replace(ROW, image="b", value=0.9)])
    (summary,) = summarise(store)
    assert summary.score.mean == pytest.approx((0.3 + 0.9) / 2)
    assert (summary.score.n, summary.degenerate, summary.missing) == (2, 0, 0)
    assert (summary.direction, summary.forwards, summary.seconds) == ("higher", 100, 2.0)


def test_degenerate_and_missing_rows_are_counted(store):
    store.write(
        [
            ROW,
            replace(ROW, image="b", value=math.nan, status="degraded", reason="few samples"),
            replace(ROW, image="c", value=0.6),
            replace(ROW, metric="overlap", chance=0.1),
            replace(ROW, metric="overlap", image="c", chance=0.3),
        ]
    )
    gini, overlap = summarise(store)
    assert (gini.metric, gini.score.n, gini.degenerate, gini.missing) == ("gini", 2, 1, 0)
    assert (gini.status, gini.reason) == ("degraded", "few samples")
    assert (overlap.score.n, overlap.degenerate, overlap.missing) == (2, 0, 1)
    assert overlap.chance == pytest.approx(0.2)
    assert math.isnan(gini.chance)


def test_explainers_are_compared_image_by_image(store):
    for i in range(12):
        lime = replace(ROW, image=str(i), value=0.1 * i)
        store.write([lime, replace(lime, explainer="edges", value=0.1 * i - 0.01 * (i + 1))])
    (test,) = compare(store, "gini")
    assert (test.first, test.second, test.n) == ("edges", "lime", 12)
    assert test.p < 0.001
    assert test.median_difference == pytest.approx(-0.065)


def test_a_metric_without_rows_is_named(store):
    with pytest.raises(ValueError, match="no row of metric 'ginny'"):
        compare(store, "ginny")
