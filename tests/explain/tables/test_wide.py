import math
from dataclasses import replace

import pytest

from cellxai.explain.results.rows import Measure, ScoreRow
from cellxai.explain.results.score_arrays import Results
from cellxai.explain.tables.export import write_results
from cellxai.explain.tables.lines import rank_lines, score_lines
from cellxai.explain.tables.wide import format_digits, remarks, wide_tables

ROW = ScoreRow("a", "lime", "gini", 0, 0.25, math.nan, "ok", "", 100, 0, 2.0)
GINI = Measure("gini", "Gini", "complexity", "higher", 0.0, 1.0, "")


def test_a_control_is_never_bold_even_if_it_is_the_best(tmp_path):
    rows = [ROW, replace(ROW, explainer="random", value=0.9)]
    write_results(tmp_path, Results(rows, [], {"gini": GINI}, controls=frozenset({"random"})))
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert ("**0.250**" in text, "**0.900**" in text) == (True, False)


def test_methods_stand_by_their_rank_and_controls_below_them(invented_results):
    tables = wide_tables(score_lines(invented_results), rank_lines(invented_results))
    assert [table.family for table in tables] == ["faithfulness", "localisation"]
    names = [line.rank.explainer for line in tables[0].lines]
    assert names[:4] == ["lime", "saliency", "occlusion", "grad_cam"]
    assert {*names[-2:]} == {"edges", "random"}
    assert tables[0].metrics == (("deletion", "lower"), ("insertion", "higher"))
    assert [line.best for line in tables[0].lines[:2]] == [(True, True), (False, False)]
    assert tables[1].chance == (0.033,)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.3149, "0.315"), (0.0, "0.000"), (0.0012349, "0.00123"), (1234.9, "1.23e+03")],
)
def test_three_digits_count_whatever_the_size(value, text):
    assert format_digits(value) == text


def test_remarks_count_what_has_no_plain_score(invented_results):
    lines = {(line.explainer, line.metric): line for line in score_lines(invented_results)}
    assert remarks(lines["grad_cam", "deletion"]) == "1 degenerate"
    assert remarks(lines["guided_backprop", "deletion"]) == "12 unsupported"
    assert remarks(lines["lime", "deletion"]) == ""
