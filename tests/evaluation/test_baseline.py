"""The one-number baseline."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record
from cellxai.evaluation.baseline import classes_by_spread, one_number_baseline, spread_by_fold
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


def test_each_fold_measures_named_planes_by_the_levels_that_it_knows():
    pixels = np.random.default_rng(0).integers(0, 1000, (8, 9, 5), dtype=np.uint16)
    records = [Record("i", Path("i.tif"), "a", load_image=lambda: pixels)]
    plain = Transforms((8, 8), planes=[*"abcde"], clahe=False, sixteen_bit="training")
    folds = [replace(plain, levels=[(0, top)] * 5) for top in (1000, 2000)]
    (narrow,), (wide,) = spread_by_fold(records, folds)
    expected = (pixels / 1000 * 255).round().astype(np.uint8).mean(-1).std()
    assert narrow == pytest.approx(expected)
    assert wide == pytest.approx(narrow / 2, rel=0.02)
    with pytest.raises(ValueError, match=r"knows no levels.*it was readable when its fold was"):
        spread_by_fold(records, [plain, plain])


def test_the_number_of_a_fold_decides_the_classes_of_the_images_that_it_tests():
    number, labels = np.array([1.0, 5.0, 1.2, 5.2]), np.tile([0, 1], 4)
    folds = np.repeat([0, 1], 4)
    spreads = [np.r_[number, number], np.r_[6 - number, number]]  # the second learns the reverse
    trained = [folds == 1, folds == 0]
    found = classes_by_spread(spreads, labels, folds, trained, 2)
    assert found.tolist() == [0, 1, 0, 1, 1, 0, 1, 0]
