"""Criteria over the number of components."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.density.selection import SweepCurves, draw_selection, excess, headline

KINDS = ("full", "diag")
N_COMPONENTS = [1, 2, 3] * 2
TYPES = [kind for kind in KINDS for _ in range(3)]
BIC = np.array([900.0, 800.0, 850.0, 700.0, np.inf, 720.0])
HELD_OUT = np.array([900.0, 1e6, 1e9, 690.0, np.inf, 680.0])


def curves(chosen_by: str = "bic", **criteria: np.ndarray) -> SweepCurves:
    return SweepCurves(N_COMPONENTS, TYPES, criteria, chosen_by, n_samples=50)


def test_the_least_is_chosen_by_the_named_criterion():
    assert headline(curves(bic=BIC)) == "Chosen by BIC: 1 component, diag covariance (ringed)"
    told = headline(curves("held_out", bic=BIC, held_out=HELD_OUT))
    assert told.startswith("Chosen by likelihood of held-out images: 3 components, diag")


def test_excess_is_in_nats_per_image():
    nats = excess(np.array([700.0, 900.0, np.inf, np.nan]), n_samples=50)
    np.testing.assert_array_equal(nats, [0.0, 2.0, np.inf, np.nan])


@pytest.mark.parametrize("values", [BIC, HELD_OUT, np.full(6, 5.0)])
def test_any_values_make_a_picture(tmp_path, drawn, values):
    draw_selection(curves(bic=values), tmp_path / "s.png")
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.width > picture.height
    (axes,) = drawn.panels
    by_label = {str(line.get_label()): line for line in axes.lines}
    assert set(KINDS) <= set(by_label)
    assert list(by_label["full"].get_xdata()) == N_COMPONENTS[:3]
    assert ("collapsed" in by_label) == bool(np.isinf(values).any())
    assert "nats per image worse than the best" in drawn.texts


def test_a_criterion_that_was_not_computed_has_no_panel(tmp_path):
    draw_selection(curves(bic=BIC, held_out=np.full(6, np.nan)), tmp_path / "one.png")
    draw_selection(curves(bic=BIC, held_out=HELD_OUT), tmp_path / "two.png")
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert one.width < two.width


def test_four_criteria_stand_in_two_rows(tmp_path):
    four = dict.fromkeys(("bic", "aic", "icl", "held_out"), BIC)
    draw_selection(curves(**four), tmp_path / "four.png")
    with Image.open(tmp_path / "four.png") as picture:
        assert picture.width < 1.5 * picture.height


def test_a_choice_by_nothing_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"criterion 'held_out' has no finite value.*of bic"):
        draw_selection(curves("held_out", bic=BIC), tmp_path / "s.png")
