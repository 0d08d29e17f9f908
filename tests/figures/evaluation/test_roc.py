"""ROC and precision-recall curves."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.evaluation.roc import MOST_NAMED, Curve, draw_roc, headline, legend_line

STEPS = np.linspace(0, 1, 9)


def curve(name: str, problem: str = "") -> Curve:
    areas = (None, None) if problem else (0.75, 0.6)
    return Curve(name, STEPS, np.sqrt(STEPS), 1 - STEPS / 2, *areas, 0.3, problem)


def test_a_class_without_a_curve_is_named_with_its_reason():
    title = headline([curve("a"), curve("b", "no image of this class in this part")], "test")
    assert title.endswith("no curve: b (no image of this class in this part)")
    assert "no curve" not in headline([curve("a")], "test")
    assert headline([curve("a", "none")] * 5, "test").endswith("…")


def test_the_legend_has_the_area():
    assert legend_line("astro", 0.98765) == "astro 0.988"
    assert legend_line("astro", None) == "astro"


@pytest.mark.parametrize("n_classes", [1, 3, 40])
def test_any_number_of_classes_is_drawn(tmp_path, drawn, n_classes):
    mean = Curve("macro", STEPS, np.sqrt(STEPS), None, 0.7, 0.6)
    curves = [curve(f"$class {i}") for i in range(n_classes)] + [mean]
    draw_roc(curves, tmp_path / "roc.png", "test")
    with Image.open(tmp_path / "roc.png") as picture:
        assert picture.size == (1152, 588)
    assert len(drawn.panels[0].lines) == n_classes + 2  # and the mean, and chance
    assert ("$class 0 0.750" in drawn.texts) == (n_classes <= MOST_NAMED)


def test_a_part_without_any_curve_says_why_and_shows_chance_alone(tmp_path, drawn):
    draw_roc([curve("a", "no image of any other class in this part")], tmp_path / "roc.png", "test")
    assert (tmp_path / "roc.png").is_file()
    roc, precision = drawn.panels
    assert [line.get_xydata().tolist() for line in roc.lines] == [[[0, 0], [1, 1]]]
    assert len(precision.lines) == 0
    assert any("no curve: a (no image of any other class in this part)" in t for t in drawn.texts)
    assert roc.get_ylabel() == "recall (true positives)"
