import math
import sqlite3
from dataclasses import replace

import pytest

from cellxai.explain.store import Key, Row, Store

ROW = Row("a.png", "lime", "gini", 0, 0.25, 0.1, "ok", "", 1000, 0, 2.5)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "deep" / "results.sqlite")


def test_rows_come_back_as_they_went_ordered_by_key(store):
    second = replace(ROW, image="b.png", status="degraded", reason="few samples")
    store.write([second, ROW])
    assert Store(store.path).rows() == [ROW, second]


def test_nan_survives(store):
    store.write([replace(ROW, value=math.nan, chance=math.nan)])
    assert math.isnan(store.rows()[0].value)
    assert math.isnan(store.rows()[0].chance)


def test_a_key_has_one_row_the_latest(store):
    store.write([ROW])
    store.write([replace(ROW, value=0.5)])
    assert [row.value for row in store.rows()] == [0.5]


def test_a_write_that_fails_in_the_middle_leaves_nothing(store):
    no_unicode = replace(ROW, image="\ud800")
    with pytest.raises(UnicodeEncodeError):
        store.write([ROW, no_unicode])
    assert store.rows() == []


def test_missing_keys_keep_their_order(store):
    store.write([ROW])
    others = [Key("z.png", "lime", "gini", 0), Key("a.png", "lime", "gini", 1)]
    assert store.missing([others[0], ROW.key, others[1]]) == others


def test_it_writes_ahead(store):
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_two_stores_on_one_file_see_each_others_rows(store):
    other = Store(store.path)
    store.write([ROW])
    other.write([replace(ROW, seed=1)])
    assert len(store.rows()) == len(other.rows()) == 2


def test_a_changed_setting_is_refused_by_name_and_new_ones_are_added(store):
    store.bind({"explainer 'lime'": "Lime(n_samples=1000)"})
    store.bind({"explainer 'lime'": "Lime(n_samples=1000)", "metric 'gini'": "Gini()"})
    message = r"explainer 'lime' was Lime\(n_samples=1000\), now it is Lime\(n_samples=9\)"
    with pytest.raises(ValueError, match=message):
        store.bind({"explainer 'lime'": "Lime(n_samples=9)", "new": "new"})
    assert store.settings() == {
        "explainer 'lime'": "Lime(n_samples=1000)",
        "metric 'gini'": "Gini()",
    }
