import numpy as np
import pytest

from cellxai.density.comparison import RoundConfidences, average_over_rounds, compare
from cellxai.density.strangers import Strangers


def test_the_measures_of_rounds_are_their_mean_by_known_images():
    near = RoundConfidences(
        np.array([2.0, 1.0, 1.5]), np.array([False, False, True]), np.array([0, 1, 4])
    )
    far = RoundConfidences(np.array([2.0, 0.0]), np.array([False, True]), np.array([2, 4]))
    found = average_over_rounds([near, far], np.ones((1, 5)))
    # A stranger above one of two, then below the only one: (2 · 1/2 + 1 · 1) / 3.
    assert found["auroc"][0] == pytest.approx(2 / 3)
    without_far = average_over_rounds([near, far], np.array([[1.0, 1, 0, 1, 1]]))
    assert without_far["auroc"][0] == pytest.approx(1 / 2)


def test_strangers_are_told_from_known_images_in_every_round(image_set, fitted_rounds):
    known, rounds = fitted_rounds(30, 3)
    far, alike = image_set(9, 1, 60.0, "far"), image_set(30, 2, 0.0, "alike")
    results = compare(known, rounds, {"far": Strangers(far), "alike": Strangers(alike)}, 0)
    by_name = {(result.detector, result.set): result for result in results}
    assert by_name["density", "far"].values["auroc"] == 1
    assert (by_name["density", "far"].n_in, by_name["density", "far"].n_out) == (30, 9)
    low, high = by_name["density", "alike"].interval("auroc")
    assert low < 0.5 < high
    low, high = by_name["density", "far"].interval("auroc")
    assert (low, high) == (pytest.approx(0.05 ** (1 / 9)), 1)  # nine strangers
