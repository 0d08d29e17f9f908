"""Features in two dimensions over the mixture's contours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.stats import multivariate_normal

from cellxai.figures.density.projection import (
    MOST_SETS,
    PlaneMixture,
    choose_frame,
    draw_projection,
)

MIXTURE = PlaneMixture(
    np.array([0.7, 0.3, 0.0]),
    np.array([[-4.0, 0.0], [3.0, 2.0], [0.0, 0.0]]),
    np.array([[[2.0, 0.3], [0.3, 0.5]], [[1.0, -0.6], [-0.6, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]),
)
FITTED = np.random.default_rng(0).normal(0, 2, (60, 2))
POINTS = arrays(float, st.tuples(st.integers(1, 9), st.just(2)), elements=st.floats(-1e6, 1e6))


def test_the_density_is_that_of_scipy():
    expected = sum(
        weight * multivariate_normal(mean, covariance).pdf(FITTED)
        for weight, mean, covariance in zip(
            MIXTURE.weights, MIXTURE.means, MIXTURE.covariances, strict=True
        )
    )
    np.testing.assert_allclose(MIXTURE.log_density(FITTED), np.log(expected), rtol=1e-12)


@given(POINTS, POINTS)
def test_every_image_of_the_fit_is_in_the_frame_and_the_others_at_its_edge(fitted, others):
    frame = choose_frame({"train": fitted, "far": others})
    assert frame.inside(fitted).all()
    beyond = others[~frame.inside(others)]
    moved = frame.at_edge(beyond)
    assert frame.inside(moved).all()
    np.testing.assert_allclose(np.abs((moved - frame.centre) / frame.half).max(1), 0.985, rtol=1e-6)


def test_a_set_far_away_does_not_squeeze_the_images_of_the_fit():
    near = choose_frame({"train": FITTED})
    far = choose_frame({"train": FITTED, "photographs": FITTED + 1e5, "noise": FITTED * 1e3})
    np.testing.assert_allclose(far.half, near.half, rtol=0.3)


def test_one_image_far_from_the_bulk_of_the_fit_does_not_squeeze_the_others():
    bulk = np.random.default_rng(1).normal(0, 2, (300, 2))
    frame = choose_frame({"train": np.r_[bulk, [[1500.0, 0.0]]]})
    assert frame.inside(bulk).all()
    assert (frame.half < 15).all()


def test_a_set_beside_the_images_of_the_fit_is_shown():
    beside = FITTED + np.array([6.0, 0.0])
    assert choose_frame({"train": FITTED, "phc_u373": beside}).inside(beside).all()


@pytest.mark.parametrize("mixture", [None, MIXTURE])
@pytest.mark.parametrize("n_others", [0, 1, 20])
def test_any_number_of_sets_makes_a_picture(tmp_path, drawn, mixture, n_others):
    others = {f"a set with a long name {n}": FITTED * n for n in range(n_others)}
    draw_projection({"train": FITTED, **others}, tmp_path / "p.png", mixture)
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.width > picture.height > 600
    legend = drawn.figures[-1].legends[0]
    n_sets = min(1 + n_others, MOST_SETS)
    assert len(legend.get_texts()) == n_sets + (mixture is not None)


def test_one_image_and_a_component_narrower_than_a_pixel_make_a_picture(tmp_path, drawn):
    spike = PlaneMixture(np.ones(1), np.zeros((1, 2)), 1e-12 * np.eye(2)[None])
    draw_projection({"train": np.zeros((1, 2))}, tmp_path / "p.png", spike)
    assert (tmp_path / "p.png").exists()
    (plane,) = drawn.panels
    at_origin = [s for s in plane.collections if np.size(s.get_offsets()) and s.get_label()]
    assert {"train: 1", "mean of a component"} <= {str(s.get_label()) for s in at_origin}
    assert all((np.asarray(s.get_offsets()) == 0).all() for s in at_origin)
    assert "Contours leave 1, 5, 25, 50 and 75 % of train outside" in drawn.texts


def test_nothing_to_draw_is_an_error_that_names_the_picture(tmp_path):
    for sets in ({}, {"train": np.empty((0, 2))}):
        with pytest.raises(ValueError, match=r"p\.png: no image of the fit"):
            draw_projection(sets, tmp_path / "p.png")
