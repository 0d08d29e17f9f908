import numpy as np
import pytest

from cellxai.explain.results.plane_summary import summarise_planes


def test_planes_are_summed_up_over_images_and_images_without_evidence_left_out():
    shares = np.array([[0.7, 0.3], [0.2, 0.8], [np.nan, np.nan], [0.9, 0.1]])
    signed = np.array([[2.0, -1.0], [0.0, 1.0], [np.nan, np.nan], [4.0, 0.0]])
    first, second = summarise_planes(["actin", "nuclei"], shares, signed)
    assert (first.plane, first.n_highest, first.share.n) == ("actin", 2, 3)
    assert first.share.mean == pytest.approx(0.6)
    assert first.share.mean + second.share.mean == pytest.approx(1)
    assert first.share.low < 0.6 < first.share.high
    assert (first.signed, second.signed) == (pytest.approx(2), pytest.approx(0))


def test_nothing_known_is_no_crash():
    (only,) = summarise_planes(["actin"], np.full((2, 1), np.nan), np.full((2, 1), np.nan))
    assert (only.n_highest, only.share.n) == (0, 0)
    assert np.isnan(only.signed)
