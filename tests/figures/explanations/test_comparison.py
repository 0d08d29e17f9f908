"""The strip that compares explainers."""

import numpy as np
from matplotlib.colors import to_rgba
from PIL import Image

from cellxai.figures.colours import CAUSE_OUTLINE, CELL_OUTLINE
from cellxai.figures.explanations.comparison import Comparison, draw_comparison, legend_of

GENERATOR = np.random.default_rng(0)
IMAGE = GENERATOR.random((12, 16, 3)) * 0.9 + 0.05
SUPERPIXELS = np.arange(12)[:, None] // 4 * 4 + np.arange(16)[None] // 4


def test_an_explainer_without_a_map_keeps_its_place_in_the_strip(tmp_path, drawn):
    maps = {name: GENERATOR.normal(size=(12, 16)) for name in ("a", "b", "c")}
    draw_comparison(Comparison("x", IMAGE, maps), tmp_path / "three.png")
    notes = {"lrp": "unsupported: Conv2dSame has no rule"}
    draw_comparison(Comparison("x", IMAGE, maps, notes), tmp_path / "four.png")
    with Image.open(tmp_path / "three.png") as three, Image.open(tmp_path / "four.png") as four:
        assert four.height > three.height  # a second row
    assert {"no map", *maps, *notes, *notes.values()} <= set(drawn.texts)


def test_cells_and_cause_are_outlined_on_the_original(tmp_path):
    maps = {"a": np.zeros((12, 16))}
    cells = (SUPERPIXELS == 5).astype(int)
    for name, outlines in {"none": {}, "cells": {"mask": cells}, "cause": {"cause": cells}}.items():
        draw_comparison(Comparison("x", IMAGE, maps, **outlines), tmp_path / f"{name}.png")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 3


def test_outlines_have_the_colours_that_the_caption_says(tmp_path, drawn):
    cells, cause = (SUPERPIXELS == 5).astype(int), SUPERPIXELS == 6
    strip = Comparison(
        "x", IMAGE, {"a": np.zeros((12, 16))}, mask=cells, cause=cause, score="logit"
    )
    draw_comparison(strip, tmp_path / "strip.png")
    original = drawn.panels[0]
    colours = [outlines.get_edgecolor()[0].tolist() for outlines in original.collections]
    assert colours == [list(to_rgba(CELL_OUTLINE)), list(to_rgba(CAUSE_OUTLINE))]
    assert original.get_xlabel() == "blue: cells, yellow: planted cause"
    assert {"lowers the logit", "0", "raises the logit"} <= set(drawn.texts)


def test_long_ends_of_the_scale_are_broken_and_do_not_touch(tmp_path, drawn):
    maps = {"a": GENERATOR.normal(size=(12, 16)), "b": GENERATOR.normal(size=(12, 16))}
    strip = Comparison("x", IMAGE, maps, score="log p-value of the image (nats)")
    draw_comparison(strip, tmp_path / "strip.png")
    labels = drawn.panels[-1].get_xticklabels()
    assert "log p-value" in labels[0].get_text()
    boxes = [label.get_window_extent() for label in labels]
    assert boxes[0].x1 < boxes[1].x0
    assert boxes[1].x1 < boxes[2].x0


def test_the_scale_speaks_of_evidence_only_where_maps_are_evidence(tmp_path, drawn):
    maps = {name: GENERATOR.normal(size=(12, 16)) for name in ("LIME", "Saliency", "edges")}
    meanings = {"Saliency": "how much a pixel matters", "edges": "knows nothing", "LIME": ""}
    strip = Comparison("x", IMAGE, maps, score="logit", meanings=meanings)
    draw_comparison(strip, tmp_path / "mixed.png")
    assert "raises the logit" in drawn.texts
    assert any("not of Saliency, edges" in text for text in drawn.texts)
    ends, remark = legend_of(Comparison("x", IMAGE, {"LIME": maps["LIME"]}, score="logit"))
    assert (ends, remark) == (("lowers the logit", "0", "raises the logit"), "")
    del maps["LIME"]
    ends, remark = legend_of(Comparison("x", IMAGE, maps, score="logit", meanings=meanings))
    assert ends == ("negative", "0", "positive")
    assert "stands under it" in remark
