from dataclasses import astuple

import numpy as np
import pytest
from cell_scenes import boxes_on
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellxai.data.cells.find import find_cells, number_instances, window_around
from cellxai.data.frames.window import Box

LABELS = arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)),
                elements=st.sampled_from([0, 0, 1, 2, 7, 2**31 - 1]))  # fmt: skip


@settings(max_examples=50)
@given(LABELS)
def test_the_cells_of_a_map_are_those_that_a_slow_loop_finds(mask):
    cells = find_cells(mask)
    assert [cell.label for cell in cells] == [n for n in np.unique(mask).tolist() if n]
    for cell in cells:
        rows, columns = np.nonzero(mask == cell.label)
        assert astuple(cell.box) == (
            rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
        )  # fmt: skip
        assert cell.area_px == len(rows)


@settings(max_examples=50)
@given(LABELS, st.permutations([1, 2, 7, 2**31 - 1]))
def test_another_numbering_changes_the_numbers_alone(mask, order):
    renamed = mask.copy()
    for old, new in zip([1, 2, 7, 2**31 - 1], order, strict=True):
        renamed[mask == old] = new
    areas = {(cell.box, cell.area_px) for cell in find_cells(mask)}
    assert areas == {(cell.box, cell.area_px) for cell in find_cells(renamed)}


def test_pieces_that_touch_at_a_corner_are_one_and_keep_no_label_apart():
    mask = np.array([[1, 0, 0, 5], [0, 2, 0, 0], [0, 0, 0, 0], [3, 3, 0, 0]], np.int32)
    expected = [[1, 0, 0, 2], [0, 1, 0, 0], [0, 0, 0, 0], [3, 3, 0, 0]]
    np.testing.assert_array_equal(number_instances(mask, "connected"), expected)
    assert number_instances(mask, "labels") is mask


def test_a_map_without_a_cell_has_none():
    assert find_cells(np.zeros((3, 4), np.int32)) == []


@pytest.mark.parametrize(
    "box", [(0, 3, 2, 5), (8, 3, 10, 5), (4, 0, 6, 2), (4, 18, 6, 20), (0, 0, 10, 20)]
)
def test_a_cell_in_the_first_or_last_row_or_column_touches_the_border(box):
    (cell,) = find_cells(boxes_on((10, 20), {3: box}))
    assert cell.box.touches((10, 20))
    assert not cell.box.touches((11, 21)) or min(box[:2]) == 0


def test_a_cell_one_pixel_inside_does_not():
    (cell,) = find_cells(boxes_on((10, 20), {3: (1, 1, 9, 19)}))
    assert not cell.box.touches((10, 20))


@settings(max_examples=50)
@given(st.integers(-5, 50), st.integers(-5, 50), st.integers(1, 20), st.integers(1, 20))
def test_a_window_holds_every_box_that_is_no_larger_in_its_middle(top, left, height, width):
    box = Box(top, left, top + height, left + width)
    window = window_around(box, 20)
    assert window.shape == (20, 20)
    above, below = box.top - window.top, window.bottom - box.bottom
    before, behind = box.left - window.left, window.right - box.right
    assert min(above, below, before, behind) >= 0
    assert 0 <= above - below <= 1
    assert 0 <= before - behind <= 1
