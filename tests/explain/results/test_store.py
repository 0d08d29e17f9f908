import math
import sqlite3
from dataclasses import fields, replace

import numpy as np
import pytest

from cellxai.explain.results.rows import Answer, Key, Measure, ScoreRow
from cellxai.explain.results.store import Store

ROW = ScoreRow("a.png", "lime", "gini", 0, 0.25, 0.1, "ok", "", 1000, 0, 2.5)


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
    assert store.missing_keys([others[0], ROW.key, others[1]]) == others


def test_it_writes_ahead(store):
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_two_stores_on_one_file_see_each_others_rows(store):
    other = Store(store.path)
    store.write([ROW])
    other.write([replace(ROW, seed=1)])
    assert len(store.rows()) == len(other.rows()) == 2


ANSWER = Answer("a.png", "lime", 0, 2, "ok", "", 1000, 0, 2.5, 4096, 32, "float32", 0.9,
                evidence=np.array([0.1, -2.5, np.nan]))  # fmt: skip
MEASURE = Measure("gini", "Gini", "complexity", "higher", -math.inf, 1.0, "a paper")


def test_an_answer_comes_back_with_its_evidence_to_the_last_digit(store):
    store.write([ROW], ANSWER)
    (actual,) = store.answers()
    assert actual.evidence.tobytes() == ANSWER.evidence.tobytes()
    for field in fields(Answer)[:-3]:
        assert getattr(actual, field.name) == getattr(ANSWER, field.name)
    assert math.isnan(actual.ranking_stability)
    assert math.isnan(actual.completeness_gap)


def test_an_answer_without_evidence_or_memory_says_so(store):
    store.write([], replace(ANSWER, evidence=None, peak_bytes=None))
    (actual,) = store.answers()
    assert actual.evidence is None
    assert actual.peak_bytes is None


def test_rows_and_their_answer_are_written_together_or_not_at_all(store):
    with pytest.raises(UnicodeEncodeError):
        store.write([ROW], replace(ANSWER, reason="\ud800"))
    assert store.rows() == store.answers() == []


def test_an_answer_that_failed_does_not_replace_one_that_did_not(store):
    store.write([], ANSWER)
    store.write([], replace(ANSWER, status="failed", evidence=None))
    assert [answer.status for answer in store.answers()] == ["ok"]
    store.write([], replace(ANSWER, status="degraded"))
    assert [answer.status for answer in store.answers()] == ["degraded"]


def test_measures_keep_their_range_and_the_latest_words(store):
    store.bind({}, [MEASURE])
    store.bind({}, [replace(MEASURE, paper="another")])
    assert store.measures() == {"gini": replace(MEASURE, paper="another")}


def test_what_failed_or_lacked_its_truth_is_missing_only_when_asked_again(store):
    failed = replace(ROW, image="b.png", value=math.nan, status="failed")
    store.write([ROW, failed], None, [("c.png", "gini")])
    keys = [ROW.key, failed.key, Key("c.png", "lime", "gini", 0)]
    assert store.missing_keys(keys) == []
    assert store.missing_keys(keys, retry_failed=True) == keys[1:]
    assert store.inapplicable() == [("c.png", "gini")]


def test_the_first_choice_stays(store):
    assert store.choice("batch size") is None
    store.choose("batch size", "8")
    store.choose("batch size", "16")
    assert Store(store.path).choice("batch size") == "8"


def test_what_is_written_while_it_is_kept_open_is_seen_by_others_at_once(store):
    with store.keep_open():
        store.write([ROW], ANSWER)
        assert Store(store.path).rows() == store.rows() == [ROW]
    assert store.rows() == [ROW]


def test_a_file_that_holds_no_results_is_refused_in_one_line(tmp_path):
    path = tmp_path / "results.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(ValueError, match=r"results\.sqlite: .*move the file away to begin anew"):
        Store(path)


def test_results_of_another_version_are_refused_in_one_line(tmp_path):
    path = tmp_path / "results.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE results (image, explainer, metric, seed, value)")
    with pytest.raises(ValueError, match=r"results\.sqlite: .*move the file away to begin anew"):
        Store(path).rows()


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
