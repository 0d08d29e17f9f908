"""Training curves."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.style import DPI
from cellxai.figures.training_curves import best_epoch, column, draw_curves

ROWS = [
    {"epoch": "0", "train_loss": "1.0", "validation_loss": "0.9", "train_accuracy": "0.5"},
    {"epoch": "1", "train_loss": "0.5", "validation_loss": "0.4", "train_accuracy": "0.8"},
    {"epoch": "2", "train_loss": "0.2", "validation_loss": "0.6", "train_accuracy": "0.9"},
]


def test_the_best_epoch_is_that_of_lowest_validation_loss():
    assert best_epoch(ROWS) == 1


def test_an_epoch_that_was_not_validated_is_never_the_best():
    assert best_epoch([*ROWS, {"epoch": "3", "validation_loss": ""}]) == 1


def test_without_validation_no_epoch_is_the_best():
    assert best_epoch([{"epoch": "0", "train_loss": "1.0"}]) is None


def test_an_absent_column_reads_as_not_a_number():
    assert np.isnan(column(ROWS, "learning_rate")).all()
    np.testing.assert_array_equal(column(ROWS, "epoch"), [0, 1, 2])


@pytest.mark.parametrize("rows", [ROWS, [{"epoch": "0", "train_loss": "1.0"}]])
def test_curves_are_drawn_with_and_without_validation(tmp_path, drawn, rows):
    draw_curves(rows, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (round(9.6 * DPI), round(3.6 * DPI))
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
    loss, _ = drawn.panels
    by_label = {str(line.get_label()): line.get_ydata() for line in loss.lines}
    np.testing.assert_array_equal(by_label["train"], column(rows, "train_loss"))
    assert ("epoch 1, lowest validation loss" in by_label) == (rows is ROWS)


def test_no_epoch_is_an_error_that_names_the_picture(tmp_path):
    with pytest.raises(ValueError, match=r"curves\.png: no epoch to draw"):
        draw_curves([], tmp_path / "curves.png")
