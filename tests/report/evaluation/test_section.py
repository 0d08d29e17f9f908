"""The section about the evaluation."""

import json

from html_page import Page

from cellxai.verbs.report import report


def test_intervals_floors_ranking_and_calibration_are_on_the_page(finished_run):
    text = Page(report(finished_run).path).section("evaluation")
    for phrase in (
        "95 % interval 65 % to 99 %", "51 % to 99 %", "pixel standard deviation alone", "58.3 %",
        "32 % to 81 %", "always astro", "0.941 to 1.000", "no image to rank it by",
        "temperature 1.40", "0.050", "0.170", "could look the same",
    ):  # fmt: skip
        assert phrase in text, phrase


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


def test_wells_are_on_the_page_where_images_name_theirs(run):
    path = run / "evaluation" / "report.json"
    saved = json.loads(path.read_text())
    judged = {"value": 0.75, "n_right": 3, "n_wells": 4, "interval": [0.301, 0.954], "plates": None}
    figures = {"p_astro": {"mean": 0.61, "interval": [0.42, 0.8]}}
    saved["wells"] = {"test": {
        "n_wells": 4, "n_plates": 1, "n_images": 12, "unit": "well", "figures": figures,
        "accuracy_of_wells": judged,
    }}  # fmt: skip
    path.write_text(json.dumps(saved))
    made = report(run)
    assert made.problems == ()
    text = Page(made.path).section("evaluation")
    for phrase in (
        "12 images of 4 wells on 1 plate", "wells whose class is right (3 of 4)",
        "30.1 % to 95.4 %",
        "mean probability of astro", "42.0 % to 80.0 %",
    ):  # fmt: skip
        assert phrase in text, phrase
