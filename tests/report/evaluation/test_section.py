"""The section about the evaluation."""

import json
import shutil
from pathlib import Path

import pytest
from html_page import Page

from cellxai.verbs.report import report


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "sartorius"))


def test_intervals_floors_ranking_and_calibration_are_on_the_page(finished_run):
    text = Page(report(finished_run).path).section("evaluation")
    for told in (
        "95 % interval 65 % to 99 %", "51 % to 99 %", "pixel standard deviation alone", "58.3 %",
        "32 % to 81 %", "always astro", "0.941 to 1.000", "no image to rank it by",
        "temperature 1.40", "0.050", "0.170", "could look the same",
    ):  # fmt: skip
        assert told in text, told


def test_a_missing_temperature_has_its_reason(run):
    path = run / "evaluation" / "report.json"
    saved = json.loads(path.read_text()) | {"temperature": {"value": None, "problem": "no <b>"}}
    path.write_text(json.dumps(saved))
    text = Page(report(run).path).section("evaluation")
    assert "No temperature was fitted: no &lt;b&gt;." in text
    assert "temperature 1.40" not in text


def test_an_evaluation_of_an_older_version_is_shown_without_what_it_lacks(run):
    path = run / "evaluation" / "report.json"
    saved = json.loads(path.read_text())
    for name in ("temperature", "baseline"):
        del saved[name]
    for name in ("intervals", "ranking", "calibration"):
        del saved["parts"]["test"][name]
    path.write_text(json.dumps(saved))
    for name in ("roc", "reliability", "mistakes"):
        (run / "evaluation" / f"{name}.png").unlink()
    made = report(run)
    assert made.problems == ()
    page = Page(made.path)
    assert "11 of 12 test images" in page.html
    assert "Is it right as often" not in page.section("evaluation")
