import json

from html_page import Page

from cellxai.files.folder import RunFolder
from cellxai.report.evaluation.calibration import read_calibration
from cellxai.verbs.report import report


def test_a_missing_temperature_has_its_reason(run):
    path = run / "evaluation" / "report.json"
    saved = json.loads(path.read_text()) | {"temperature": {"value": None, "problem": "no <b>"}}
    path.write_text(json.dumps(saved))
    text = Page(report(run).path).section("evaluation")
    assert "No temperature was fitted: no &lt;b&gt;." in text
    assert "temperature 1.40" not in text


def test_figures_stand_before_and_after_the_temperature(finished_run):
    folder = RunFolder(finished_run)
    saved = json.loads((folder.evaluation / "report.json").read_text())
    calibration = read_calibration(folder, saved, "test")
    assert [(row.before, row.after, row.by_chance) for row in calibration.rows] == [
        (0.08, 0.05, 0.17), (0.08, 0.04, 0.17), (0.31, 0.27, None),
    ]  # fmt: skip
    assert calibration.temperature == 1.4
    assert "could look the same" in calibration.verdict
    bins = saved["parts"]["test"]["calibration"]["equal_mass"]
    saved["parts"]["test"]["calibration"]["equal_mass"] = bins | {"ece": 0.2}
    assert "More than chance" in read_calibration(folder, saved, "test").verdict


def test_a_temperature_that_was_judged_on_another_part_says_nothing_of_this_one(finished_run):
    folder = RunFolder(finished_run)
    saved = json.loads((folder.evaluation / "report.json").read_text())
    saved["temperature"]["judged_on"] = "validation"
    assert {row.after for row in read_calibration(folder, saved, "test").rows} == {None}
    assert read_calibration(folder, saved, "train") is None
