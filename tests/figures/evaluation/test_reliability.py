"""Reliability."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.evaluation.reliability import ReliabilityPanel, draw_reliability, title_of


def panel(n_bins: int, after: bool = False) -> ReliabilityPanel:
    confidence = np.linspace(0.3, 0.99, n_bins)
    accuracy = confidence**2
    return ReliabilityPanel(
        "bins", np.arange(1, n_bins + 1), confidence, accuracy, accuracy - 0.1, accuracy + 0.1,
        0.125, (accuracy, accuracy) if after else None, 0.031 if after else None,
    )  # fmt: skip


def test_the_title_has_the_error_before_and_after():
    assert title_of(panel(2)) == "bins: ECE 0.125"
    assert title_of(panel(2, after=True)) == "bins: ECE 0.125, scaled 0.031"


@pytest.mark.parametrize("panels", [[panel(1)], [panel(15, after=True), panel(2, after=True)]])
def test_any_number_of_bins_is_drawn(tmp_path, drawn, panels):
    draw_reliability(panels, tmp_path / "reliability.png", "test")
    with Image.open(tmp_path / "reliability.png") as picture:
        assert picture.width == 576 * len(panels)
    assert len([*tmp_path.iterdir()]) == 1
    n = len(panels)
    for upper, lower, shown in zip(drawn.panels[:n], drawn.panels[n:], panels, strict=True):
        dots = upper.collections[1].get_offsets()
        np.testing.assert_array_equal(dots, np.stack([shown.confidence, shown.accuracy], 1))
        assert [bar.get_height() for bar in lower.patches] == shown.counts.tolist()
        assert upper.get_title(loc="left") == title_of(shown)
    assert ("temperature scaled" in drawn.texts) == (panels[0].after is not None)
