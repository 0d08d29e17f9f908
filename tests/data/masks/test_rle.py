import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cellxai.data.masks.rle import decode_rle, encode_rle, parse_rle, pixels_of

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12))


@given(masks)
def test_decoding_undoes_encoding(mask):
    np.testing.assert_array_equal(decode_rle(encode_rle(mask), mask.shape), mask)


@given(masks)
def test_runs_are_ascending_and_as_few_as_can_be(mask):
    values = [int(word) for word in encode_rle(mask).split()]
    starts, lengths = np.array(values[::2], dtype=int), np.array(values[1::2], dtype=int)
    assert lengths.sum() == mask.sum()
    assert (starts[1:] > starts[:-1] + lengths[:-1]).all()  # a gap lies between two runs


@given(masks)
def test_decoding_equals_a_loop_that_counts_pixels_from_one_row_by_row(mask):
    expected = np.zeros(mask.shape, dtype=bool)
    values = [int(word) for word in encode_rle(mask).split()]
    for start, length in zip(values[::2], values[1::2], strict=True):
        for pixel in range(start, start + length):
            row, column = divmod(pixel - 1, mask.shape[1])
            expected[row, column] = True
    np.testing.assert_array_equal(decode_rle(encode_rle(mask), mask.shape), expected)


def test_pixel_one_is_the_first_and_runs_go_along_the_row():
    expected = [[True, True, False], [False, False, True]]
    assert decode_rle("1 2 6 1", (2, 3)).tolist() == expected


def test_an_empty_encoding_is_an_empty_mask():
    assert not decode_rle("", (2, 3)).any()
    assert encode_rle(np.zeros((2, 3), dtype=bool)) == ""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("1 2 3", "3 values"),
        ("1 x", "'x'"),
        ("1.0 2", "'1.0'"),
        ("-1 2", "'-1'"),
        ("1 ²", "'²'"),
        ("0 2", "start 0 length 2"),
        ("3 0", "start 3 length 0"),
        ("6 2", "start 6 length 2"),
        ("1 1 7 1", "start 7 length 1"),
        ("99999999999999999999 1", "start 99999999999999999999"),
        ("1 9223372036854775807", "length 9223372036854775807"),
    ],
)
def test_what_is_no_encoding_of_the_image_is_refused_with_the_value(text, named):
    with pytest.raises(ValueError, match="expected") as refusal:
        decode_rle(text, (2, 3))
    assert named in str(refusal.value)
    assert "\n" not in str(refusal.value)


@given(st.text(alphabet="0123456789 -.x", max_size=20))
def test_any_text_gives_a_mask_or_one_error_line(text):
    shape = (3, 4)
    try:
        parse_rle(text, 12)
    except ValueError:
        with pytest.raises(ValueError, match="expected"):
            decode_rle(text, shape)
    else:
        assert decode_rle(text, shape).shape == shape


@pytest.mark.parametrize("blanks", ["", " ", " \n\t"])
def test_blanks_around_and_between_values_do_not_count(blanks):
    assert parse_rle(f"{blanks}1 2 {blanks}4{blanks} 2{blanks}", 6).tolist() == [[1, 2], [4, 2]]
    assert parse_rle(blanks, 6).shape == (0, 2)


@given(masks)
def test_the_pixels_of_the_runs_are_the_true_pixels_in_order(mask):
    runs = parse_rle(encode_rle(mask), mask.size)
    np.testing.assert_array_equal(pixels_of(runs), np.flatnonzero(mask))


def test_real_annotations_encode_back_to_themselves(shared_data):
    lines = (shared_data / "sartorius" / "train.csv").read_text().splitlines()[1:20]
    for line in lines:
        annotation = line.split(",")[1]
        assert encode_rle(decode_rle(annotation, (520, 704))) == annotation
