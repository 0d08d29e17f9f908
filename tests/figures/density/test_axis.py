"""A scale on which known images and far outliers both show."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cellxai.figures.density.axis import N_BINS, TICK_GAP, choose_axis, format_nats, tick_label

KNOWN = np.random.default_rng(0).normal(-20, 6, 200)
FAR = np.array([-2.7e7, -7.5e7])
FINITE = st.floats(-1e8, 1e4, allow_nan=False)


@given(st.lists(FINITE, min_size=1, max_size=20), FINITE)
def test_every_finite_score_and_the_threshold_fall_into_a_bin(scores, threshold):
    axis = choose_axis([np.array(scores)], threshold)
    offsets = np.array([*scores, threshold]) - threshold
    assert (np.diff(axis.edges) > 0).all()
    assert np.histogram(offsets, axis.edges)[0].sum() == len(offsets)


def test_scores_that_all_but_equal_the_threshold_stand_in_its_middle():
    axis = choose_axis([np.array([5e-324, 1e7])], threshold=0.0)
    assert np.isfinite(axis.edges).all()
    axis = choose_axis([np.array([1e-310])], threshold=0.0)
    assert axis.edges[0] < 0 < axis.edges[-1]
    assert np.isfinite(axis.place(np.array([-1.0, 1.0]))).all()


def test_the_scale_and_its_inverse_undo_each_other():
    axis = choose_axis([KNOWN, FAR], threshold=-38.0)
    offsets = np.array([-7e7, -1e3, -1.0, 0.0, 1e-3, 20.0, 45.0])
    np.testing.assert_allclose(axis.offset(axis.place(offsets)), offsets, rtol=1e-9)


def test_scores_without_outliers_stand_on_a_linear_scale():
    axis = choose_axis([KNOWN], threshold=-20.0)
    inside = axis.edges[np.abs(axis.edges) < axis.linear_width]
    assert len(inside) > 30
    np.testing.assert_allclose(np.diff(inside), np.diff(inside)[0])


def test_known_images_keep_their_shape_beside_outliers_of_millions_of_nats():
    axis = choose_axis([KNOWN, FAR], threshold=-38.0)
    assert (np.histogram(KNOWN + 38, axis.edges)[0] > 0).sum() >= 10
    linear_bins = np.linspace(FAR.min(), KNOWN.max(), N_BINS + 1)
    assert (np.histogram(KNOWN, linear_bins)[0] > 0).sum() == 1


def test_ticks_are_round_readable_and_hold_the_threshold():
    axis = choose_axis([KNOWN, FAR], threshold=-38.0)
    places = axis.place(np.array(axis.ticks))
    assert np.diff(places).min() >= TICK_GAP * np.ptp(axis.place(axis.edges)) * 0.999
    assert {0.0, -1e7} <= set(axis.ticks)


def test_tick_labels_are_short():
    values = [0.0, 50.0, -10_000.0, -1e6, -2e7]
    labels = ["threshold", "+50", "−10\u202f000", "−10⁶", "−2·10⁷"]
    assert [tick_label(value) for value in values] == labels


@given(st.lists(FINITE, min_size=1, max_size=20), FINITE)
def test_no_bin_holds_both_flagged_and_known_images(scores, threshold):
    edges = choose_axis([np.array(scores)], threshold).edges
    assert np.abs(edges).min() == 0


def test_nats_are_told_with_the_digits_that_say_something():
    values = [-38.04, -12_345.6, -2.71e7, np.nan]
    texts = ["−38.0 nats", "−12\u202f345.6 nats", "−2.7·10⁷ nats", "no finite score"]
    assert [format_nats(value) for value in values] == texts
