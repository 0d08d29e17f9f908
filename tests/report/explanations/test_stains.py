"""Which stain made the class, as the page says it."""

import json

from html_page import Page

from cellxai.report.explanations.stains import read_stains
from cellxai.verbs.report import report


def share(plane, mean, n_highest, low=None):
    high = None if low is None else 1 - low
    return {
        "plane": plane, "share": mean, "low": low, "high": high, "signed": mean and 2 * mean,
        "n_highest": n_highest, "n_images": 20,
    }  # fmt: skip


SAVED = {
    "names": ["nuclei", "granules"],
    "explainers": {
        "LIME": [share("nuclei", 0.2, 1, 0.1), share("granules", 0.8, 19, 0.3)],
        "Saliency": [share("nuclei", None, 0), share("granules", None, 0)],
    },
    "without": {"Grad-CAM": "weighs the channels of a layer"},
}


def test_the_first_explainers_strongest_stain_is_named():
    stains = read_stains(SAVED)
    assert stains is not None
    assert stains.summary == (
        "By LIME, granules made the class: it has the highest share of the evidence in 19 of 20 "
        "images."
    )
    assert stains.lines[0].highest == "granules, in 19 of 20 images"
    assert [plane.highest for plane in stains.lines[0].planes] == [False, True]
    assert (stains.chance, stains.n_images) == (0.5, 20)
    assert stains.without == ("Grad-CAM weighs the channels of a layer",)


def test_no_planes_are_no_part_of_the_page():
    assert read_stains(None) is None
    assert read_stains({**SAVED, "explainers": {}}).summary == (
        "No explainer told the stains apart."
    )


def test_the_page_has_a_row_for_each_explainer(run):
    index = run / "explain" / "index.json"
    saved = json.loads(index.read_text(encoding="utf-8"))
    index.write_text(json.dumps({**saved, "planes": SAVED}), encoding="utf-8")
    written = report(run)
    assert written.problems == ()
    text = Page(written.path).html
    for words in ("Which stain", "granules made the class", "80.0 %", "30 % to 70 %",
                  "granules, in 19 of 20 images", "Grad-CAM weighs the channels"):  # fmt: skip
        assert words in text, words


def test_an_index_that_somebody_broke_is_a_line_and_no_crash(run):
    index = run / "explain" / "index.json"
    saved = json.loads(index.read_text(encoding="utf-8"))
    broken = {**saved, "planes": {"names": 3}}
    index.write_text(json.dumps(broken), encoding="utf-8")
    assert any("index.json" in problem for problem in report(run).problems)
