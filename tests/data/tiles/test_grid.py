import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cellxai.data.tiles.grid import tile_windows

SIDE = st.integers(1, 60)


def cover(shape, side, overlap, edge):
    seen = np.zeros(shape, int)
    for _, _, window in tile_windows(shape, side, overlap, edge):
        rows, columns = window.within(shape)
        assert (rows.stop - rows.start, columns.stop - columns.start) == window.shape
        assert window.shape == (min(side, shape[0]), min(side, shape[1]))
        seen[rows, columns] += 1
    return seen


@settings(max_examples=40)
@given(SIDE, SIDE, st.integers(2, 20), st.integers(0, 19))
def test_tiles_that_are_shifted_back_show_every_pixel(height, width, side, overlap):
    assert cover((height, width), side, overlap % side, "shift").min() >= 1


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(2, 12))
def test_an_image_of_whole_tiles_is_seen_once_by_either_rule(n_rows, n_columns, side):
    for edge in ("shift", "drop"):
        seen = cover((n_rows * side, n_columns * side), side, 0, edge)
        assert (seen == 1).all()


def test_dropped_edges_are_those_that_would_leave_the_image():
    seen = cover((25, 32), 10, 0, "drop")
    expected = np.zeros((25, 32), int)
    expected[:20, :30] = 1
    np.testing.assert_array_equal(seen, expected)


def test_rows_and_columns_are_counted_row_by_row():
    windows = tile_windows((30, 25), 20, 5, "shift")
    places = [(row, column, window.top, window.left) for row, column, window in windows]
    assert places == [(0, 0, 0, 0), (0, 1, 0, 5), (1, 0, 10, 0), (1, 1, 10, 5)]
