"""The one-number baseline."""

import numpy as np
import pytest

from cellxai.evaluation.baseline import one_number_baseline
from cellxai.intervals import share_interval


def test_one_number_that_tells_the_classes_tells_the_judged_images():
    train = np.array([1.0, 1.2, 5.0, 5.2]), np.array([0, 0, 2, 2])
    test = np.array([0.9, 5.3, 1.1, 4.0]), np.array([0, 2, 2, 1])
    found = one_number_baseline({"train": train, "test": test}, "test", ["a", "b", "c"])
    assert found["class_means"] == {"a": pytest.approx(1.1), "b": None, "c": pytest.approx(5.1)}
    assert found["accuracy"] == 0.5
    assert found["interval"] == share_interval(2, 4)
    assert found["constant"] == {"class": "a", "accuracy": 0.25}


def test_the_judged_images_teach_it_nothing():
    train = np.array([1.0, 3.0, 1.1, 3.2]), np.array([0, 1, 0, 1])
    judged = np.array([3.0, 1.0]), np.array([0, 1])
    found = one_number_baseline({"train": train, "test": judged}, "test", ["a", "b"])
    assert found["accuracy"] == 0.0


def test_without_training_images_there_is_no_baseline():
    nothing = np.array([]), np.array([], dtype=int)
    found = one_number_baseline({"train": nothing, "test": nothing}, "test", ["a"])
    assert found == {"problem": "no training image to learn it from"}
