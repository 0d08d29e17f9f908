import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cellxai.data.masks.coco_segmentation import decompress, parse_segmentation, pixels_of_part

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12))


def run_lengths(mask: np.ndarray) -> list[int]:
    """The runs down the columns by counting pixels, background first."""
    lengths, value = [0], False
    for pixel in mask.T.ravel():
        if pixel != value:
            lengths.append(0)
            value = pixel
        lengths[-1] += 1
    return lengths


def compress(lengths: list[int]) -> str:
    """COCO's text for run lengths, by its definition."""
    text = ""
    for i, length in enumerate(lengths):
        value = length - (lengths[i - 2] if i > 2 else 0)
        while True:
            bits, value = value & 31, value >> 5
            more = not (value == 0 and not bits & 16) and not (value == -1 and bits & 16)
            text += chr(bits + 32 * more + 48)
            if not more:
                break
    return text


def drawn(segmentation, shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape[0] * shape[1], dtype=bool)
    for part in parse_segmentation(segmentation, shape):
        mask[pixels_of_part(part, shape)] = True
    return mask.reshape(shape)


@given(masks)
def test_run_lengths_as_numbers_and_as_text_give_the_mask(mask):
    lengths = run_lengths(mask)
    size = list(mask.shape)
    np.testing.assert_array_equal(drawn({"size": size, "counts": lengths}, mask.shape), mask)
    text = {"size": size, "counts": compress(lengths)}
    np.testing.assert_array_equal(drawn(text, mask.shape), mask)


@given(st.lists(st.integers(0, 2**30), max_size=12))
def test_decompressing_undoes_compressing(lengths):
    assert decompress(compress(lengths)) == lengths


def test_texts_written_by_hand():
    assert decompress("04") == [0, 4]
    assert decompress("`0") == [16]  # 10000 would be negative in one character
    assert decompress("52203") == [5, 2, 2, 2, 5]  # the fourth is 0 more than the second
    assert decompress("5522M") == [5, 5, 2, 7, -1]  # 01101 with the sign bit of M is -3


def test_runs_go_down_the_columns():
    expected = [[True, False, False], [True, True, False]]
    assert drawn({"size": [2, 3], "counts": [0, 2, 1, 1, 2]}, (2, 3)).tolist() == expected


@given(
    top=st.integers(0, 8), left=st.integers(0, 8), height=st.integers(1, 6), width=st.integers(1, 6)
)
def test_a_polygon_along_pixel_edges_holds_the_pixels_within(top, left, height, width):
    below, right = top + height, left + width
    corners = [left, top, right, top, right, below, left, below]
    expected = np.zeros((15, 16), dtype=bool)
    expected[top:below, left:right] = True
    np.testing.assert_array_equal(drawn([corners], (15, 16)), expected)


def test_a_polygon_has_the_area_of_its_shape():
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    corners = np.stack([100 + 40 * np.cos(angle), 90 + 30 * np.sin(angle)], -1)
    assert drawn([corners.ravel().tolist()], (200, 210)).sum() == pytest.approx(
        np.pi * 40 * 30, rel=0.01
    )


def test_the_polygons_of_an_object_are_one():
    squares = [[0, 0, 2, 0, 2, 2, 0, 2], [4, 4, 5, 4, 5, 5, 4, 5]]
    assert drawn(squares, (6, 6)).sum() == 5


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "segmentation 'None', expected"),
        ([], r"segmentation '\[\]', expected"),
        ({"counts": [6]}, "segmentation .*counts.*, expected"),
        ({"size": [3, 2], "counts": [6]}, r"size \[3, 2\], expected \[2, 3\]"),
        ({"size": [2, 3], "counts": [5]}, "add up to 5, expected 6"),
        ({"size": [2, 3], "counts": [7, -1]}, "run length 7, expected"),
        ({"size": [2, 3], "counts": [3.0, 3]}, "run length 3.0"),
        ({"size": [2, 3], "counts": [True, 5]}, "run length True"),
        ({"size": [2, 3], "counts": None}, "counts None"),
        ({"size": [2, 3], "counts": "6 "}, "character ' ' at 1"),
        ({"size": [2, 3], "counts": "6`"}, "ends within a run length"),
        ({"size": [2, 3], "counts": "o" * 50}, "character 'o' at 7"),
        ({"size": [2, 3], "counts": "N"}, "run length -2"),
        ([[0, 0, 1, 1]], "polygon of 2 corners"),
        ([[0, 0, 1, 1, 2]], r"polygon '\[0, 0, 1, 1, 2\]', expected a list of numbers"),
        ([["a", 0, 1, 1, 2, 2]], "expected a list of numbers"),
        ([0, 0, 1, 1, 2, 2], "polygon of|expected a list of numbers"),
        ([[0, 0, 9, 0, 0, 1]], "corner at 9, 0, outside 3×2"),
        ([[0, 0, float("nan"), 0, 0, 1]], "corner at nan, 0"),
        ("polygon", "segmentation 'polygon', expected"),
    ],
)
def test_what_is_no_mask_of_the_image_is_refused_with_the_value(segmentation, message):
    with pytest.raises(ValueError, match=message) as refusal:
        parse_segmentation(segmentation, (2, 3))
    assert "\n" not in str(refusal.value)


@given(st.text(max_size=12) | st.lists(st.integers(-2, 9) | st.none(), max_size=6))
def test_any_counts_give_a_mask_or_one_error_line(counts):
    try:
        outcome = drawn({"size": [3, 4], "counts": counts}, (3, 4)).shape
    except ValueError as error:
        outcome = str(error).count("\n")
    assert outcome in ((3, 4), 0)
