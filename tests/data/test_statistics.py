"""Images in a few numbers, and what one of them tells of the class."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from cellxai.data.records import Fault, Record
from cellxai.data.statistics import (
    PixelStatistics,
    fit_discriminant,
    pixel_statistics,
    predict_left_out,
    read_statistics,
)


def drawn(seed: int, n: int = 40, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, k, n)
    labels[: 2 * k] = np.tile(np.arange(k), 2)
    return random.normal(labels * 1.5, 1.0), labels


def test_mean_and_deviation_are_of_all_pixels():
    plane = np.array([[0, 0, 8], [8, 0, 8]], dtype=np.uint8)
    assert pixel_statistics(plane) == PixelStatistics(4.0, 4.0, 2, 3)


def test_a_broken_file_has_a_fault_and_the_others_their_numbers(tmp_path):
    Image.fromarray(np.full((4, 6), 7, np.uint8)).save(tmp_path / "grey.png")
    colour = np.full((4, 6, 3), (255, 0, 0), np.uint8)
    Image.fromarray(colour).save(tmp_path / "red.png")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG")
    records = [Record(name, tmp_path / f"{name}.png", "x") for name in ("grey", "cut", "red")]
    grey, cut, red = read_statistics(records)
    assert grey == PixelStatistics(7.0, 0.0, 4, 6)
    assert isinstance(cut, Fault)
    assert cut.where == "image cut"
    assert red == PixelStatistics(76.0, 0.0, 4, 6)  # 0.299 of 255


@given(st.integers(0, 100))
def test_the_discriminant_is_scikit_learns(seed):
    values, labels = drawn(seed)
    new = np.linspace(-4, 8, 50)
    reference = LinearDiscriminantAnalysis(solver="svd").fit(values[:, None], labels)
    found = fit_discriminant(values, labels, 3).predict(new)
    np.testing.assert_array_equal(found, reference.predict(new[:, None]))


@given(st.integers(0, 100))
def test_leaving_one_out_is_fitting_to_all_others(seed):
    values, labels = drawn(seed)
    labels[0] = 3  # the only image of its class
    kept = [np.arange(len(values)) != place for place in range(len(values))]
    expected = [
        fit_discriminant(values[rest], labels[rest], 4).predict(values[~rest])[0] for rest in kept
    ]
    np.testing.assert_array_equal(predict_left_out(values, labels, 4), expected)


def test_a_class_without_images_is_never_named():
    found = fit_discriminant(np.array([1.0, 1.1, 2.0]), np.array([0, 0, 2]), 4)
    assert {*found.predict(np.linspace(-9, 9, 40)).tolist()} == {0, 2}


def test_numbers_without_spread_are_told_apart_all_the_same():
    values, labels = np.array([1.0, 1.0, 2.0, 2.0]), np.array([0, 0, 1, 1])
    assert fit_discriminant(values, labels, 2).predict(values).tolist() == [0, 0, 1, 1]


def test_the_real_cells_have_equal_brightness_and_their_spread_tells_some(shared_data):
    from cellxai.data.readers.sartorius import Sartorius

    records = Sartorius(Path(shared_data) / "sartorius", labels="labels.csv").scan().records
    found = [one for one in read_statistics(records) if isinstance(one, PixelStatistics)]
    assert np.ptp([one.mean for one in found]) < 1
    classes = sorted({record.label for record in records})
    labels = np.array([classes.index(record.label) for record in records])
    right = predict_left_out(np.array([one.sd for one in found]), labels, 3) == labels
    assert right.mean() == pytest.approx(0.7, abs=0.1)
