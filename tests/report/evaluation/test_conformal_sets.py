"""Sets of possible classes on the page."""

import json

import pytest
from html_page import Page

from cellxai.report.evaluation.conformal_sets import read_conformal_sets
from cellxai.verbs.report import report


def test_the_page_says_in_a_line_and_a_table_whether_sets_hold_the_true_class(finished_run):
    text = Page(report(finished_run).path).section("evaluation")
    assert (
        "Asked to hold the true class of 90 % of the images, the sets hold that of 91.7 % of 12 "
        "test images (95 % interval 64.6 % to 98.5 %), as promised, with 1.25 classes in a set on "
        "average."
    ) in text
    assert "within each class" in text
    assert "3 astro calibration images cannot promise 90%." in text


def test_sets_that_hold_less_than_asked_are_said_to_break_their_promise(finished_run):
    saved = json.loads((finished_run / "evaluation" / "report.json").read_text())
    sets = read_conformal_sets(saved)
    assert sets is not None
    assert [row.kept for row in sets.rows] == [True, False, True]
    assert [row.asked for row in sets.rows] == pytest.approx([0.9, 0.8, 0.9])
    assert "less than promised" in str(sets.rows[1])


def test_why_there_are_no_sets_is_said_and_old_results_have_none():
    assert read_conformal_sets({}) is None
    assert read_conformal_sets({"conformal": {"overall": {"0.1": {"unresolved": None}}}}) is None
    sets = read_conformal_sets({"conformal": {"problem": "no validation part"}})
    assert sets is not None
    assert (sets.rows, sets.problem, sets.line) == ((), "no validation part", "")
