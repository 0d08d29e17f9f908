"""Confusion matrix."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from cellxai.figures.evaluation.confusion import (
    MOST_CLASSES_WITH_TEXT,
    accuracy_line,
    draw_confusion,
    row_shares,
)


def test_shares_of_a_class_add_up_to_one_and_an_empty_class_has_none():
    matrix = np.array([[3, 1, 0], [0, 0, 0], [2, 2, 4]])
    np.testing.assert_allclose(row_shares(matrix).sum(1), [1, 0, 1])
    np.testing.assert_allclose(row_shares(matrix)[0], [0.75, 0.25, 0])


def test_the_axis_states_accuracy_and_misclassification(tmp_path, monkeypatch):
    matrix = np.array([[9, 1], [1, 9]])
    line = "accuracy 90.0 %, misclassification 10.0 %"
    assert accuracy_line(matrix) == line
    assert accuracy_line(np.zeros((2, 2), int)) == ""
    labelled: dict[str, str] = {}
    monkeypatch.setattr(Axes, "set", lambda axes, **given: labelled.update(given))
    draw_confusion(matrix, ["a", "b"], tmp_path / "confusion.png", "test")
    assert labelled["xlabel"] == f"predicted class\n{line}"


@pytest.mark.parametrize("n_classes", [1, 3, 30])
def test_any_number_of_classes_is_drawn(tmp_path, drawn, n_classes):
    names = [f"class {i}" for i in range(n_classes)]
    draw_confusion(np.eye(n_classes, dtype=int), names, tmp_path / "confusion.png", "test")
    with Image.open(tmp_path / "confusion.png") as picture:
        assert min(picture.size) > 200
    matrix = drawn.panels[0]
    np.testing.assert_array_equal(matrix.images[0].get_array(), np.eye(n_classes))
    assert len(matrix.texts) == (n_classes**2 if n_classes <= MOST_CLASSES_WITH_TEXT else 0)


def test_a_class_name_is_no_formula(tmp_path, drawn):
    name = r"$\no^{formula"
    draw_confusion(np.array([[1]]), [name], tmp_path / "confusion.png", "test")
    assert (tmp_path / "confusion.png").is_file()
    assert drawn.texts.count(name) == 2  # as true class and as predicted class, as it is spelt
    assert {"1\n100 %", "test: 1 images", "true class"} <= set(drawn.texts)
