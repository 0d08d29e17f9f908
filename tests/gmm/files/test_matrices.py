import json
import os
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from gmm import load
from gmm.files.matrices import file_chunks, read_matrix, write_columns

SUFFIXES = (".npy", ".csv", ".safetensors")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read_back_exactly(suffix, blobs, tmp_path):
    path = tmp_path / f"x{suffix}"
    write_columns(path, {f"f{index}": column for index, column in enumerate(blobs.T)})
    np.testing.assert_array_equal(read_matrix(path), blobs)


@pytest.mark.parametrize("header", ["", "a,b\n", "\ufeffa,b\n"])
def test_a_csv_header_is_optional(header, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(header + "1,2\n3,4.5\n\n", encoding="utf-8")
    assert read_matrix(path).tolist() == [[1, 2], [3, 4.5]]


def test_missing_values_in_csv_are_read_for_the_fit_to_refuse(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("1,nan\n2,3\n")
    assert np.isnan(read_matrix(path)[0, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,four\n", "row 3, column 2 is 'four', expected a number"),
        ("1,2\n3,\n", "row 2, column 2 is ''"),
        ("name,1\n3,4\n", "row 1, column 1 is 'name'"),
        ("1,2\n3,4,5\n", "row 2 has 3 columns, expected 2 as in row 1"),
        ("a;b\n1,5;2,5\n", "row 1 is 'a;b', with semicolons between its cells, expected commas"),
        ("1\t2\n3\t4\n", "with tabs between its cells"),
        ("a,b\n", "expected samples in rows"),
        ("", "expected samples in rows"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_named_by_row_and_column(text, message, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_matrix(path)


def test_a_vector_becomes_a_column_and_whole_numbers_become_float64(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(3))
    assert read_matrix(tmp_path / "x.npy").tolist() == [[0], [1], [2]]
    assert read_matrix(tmp_path / "x.npy").dtype == np.float64


def test_a_pickle_in_npy_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"x\.npy: .*allow_pickle=False"):
        read_matrix(tmp_path / "x.npy")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_garbage_is_an_error_of_one_line(suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"\xff\xfe\x00garbage\n" * 20)
    with pytest.raises(ValueError, match=path.name) as caught:
        read_matrix(path)
    assert "\n" not in str(caught.value)


def test_one_tensor_of_many_must_be_called_x(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a": np.zeros((2, 2)), "b": np.zeros((2, 2))}, path)
    with pytest.raises(ValueError, match=r"2 tensors \(a, b\), expected one, or one called 'x'"):
        read_matrix(path)


def test_unknown_suffixes_and_missing_files_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"suffix '\.txt', expected one of \.npy, \.csv"):
        read_matrix(tmp_path / "x.txt")
    with pytest.raises(FileNotFoundError, match=r"x\.npy"):
        read_matrix(tmp_path / "x.npy")


PANDAS = {  # as DataFrame.to_csv writes them
    "columns without names": "0,1\n1.5,2.0\n3.0,4.5\n",
    "row numbers": ",a,b\n0,1.5,2.0\n1,3.0,4.5\n",
    "row names": ",a,b\nfirst,1.5,2.0\nsecond,3.0,4.5\n",
    "both": ",0,1\n0,1.5,2.0\n1,3.0,4.5\n",
    "read back and written again": "Unnamed: 0,a,b\n0,1.5,2.0\n1,3.0,4.5\n",
}


@pytest.mark.parametrize("text", PANDAS.values(), ids=PANDAS)
def test_headers_and_row_names_of_pandas_are_not_samples(text, tmp_path):
    (tmp_path / "x.csv").write_text(text)
    assert read_matrix(tmp_path / "x.csv").tolist() == [[1.5, 2.0], [3.0, 4.5]]


@pytest.mark.parametrize("text", ["0,1\n2,3\n", "0\n1\n2\n", ",0,1\n0,5,6\n"])
def test_a_first_row_that_may_be_header_or_sample_is_refused(text, tmp_path):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match="both the header that pandas writes"):
        read_matrix(tmp_path / "x.csv")


@pytest.mark.parametrize("text", ["0.0,1.0\n2,3\n", "0.0,1\n2,3\n"])
def test_a_first_sample_that_counts_is_a_sample_with_decimal_points(text, tmp_path):
    (tmp_path / "x.csv").write_text(text)
    assert read_matrix(tmp_path / "x.csv").tolist() == [[0, 1], [2, 3]]


def test_a_blank_first_value_is_no_index(tmp_path):
    (tmp_path / "x.csv").write_text(",1.5\n2,3\n")
    with pytest.raises(ValueError, match="row 1, column 1 is ''"):
        read_matrix(tmp_path / "x.csv")


def npy_file(header):
    """A file of 64 bytes of content under any header."""
    padded = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + bytes(64)


def safetensors_file(dtype):
    header = {"x": {"dtype": dtype, "shape": [2, 2], "data_offsets": [0, 8]}}
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + bytes(8)


HOSTILE = {
    "more numbers than there is memory": (
        ".npy",
        npy_file("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000, 10)}"),
    ),
    "a call": (
        ".npy",
        npy_file("{'descr': '<f8', 'fortran_order': False, 'shape': __import__('os').abort()}"),
    ),
    "a header of 8 EiB": (".safetensors", struct.pack("<Q", 2**63) + b"{}"),
    "bfloat16": (".safetensors", safetensors_file("BF16")),
    "a line without end": (".csv", b"1,2\n" + b"1" * 200_000 + b",2\n"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_one_line_that_names_it(kind, tmp_path):
    suffix, content = HOSTILE[kind]
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"x\{suffix}: .*expected") as raised:
        read_matrix(path)
    assert "\n" not in str(raised.value)


def test_what_is_no_regular_file_is_refused_and_never_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "zero.npy").symlink_to("/dev/zero")
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "gone.npy").symlink_to("nowhere")
    kinds = {"pipe": "a pipe or a device", "zero": "a pipe or a device", "folder": "a folder"}
    for read in (read_matrix, load, lambda path: next(file_chunks(path, 10))):
        for name, kind in kinds.items():
            with pytest.raises(ValueError, match=f"{name}.npy: {kind}, expected a file with a m"):
                read(tmp_path / f"{name}.npy")
        with pytest.raises(FileNotFoundError, match=r"gone\.npy: no such file"):
            read(tmp_path / "gone.npy")


@pytest.mark.parametrize("header", ["", "a,b,c\n", ",a,b,c\n"])
def test_empty_cells_are_missing_values_where_these_are_allowed(header, tmp_path):
    rows = [",NA,3", "4,,null", ",,", "1,2,nan"]
    if header.startswith(","):
        rows = [f"{index},{row}" for index, row in enumerate(rows)]
    path = tmp_path / "x.csv"
    path.write_text(header + "\n".join(rows) + "\n\n")
    nan = np.nan
    expected = [[nan, nan, 3], [4, nan, nan], [nan, nan, nan], [1, 2, nan]]
    np.testing.assert_array_equal(read_matrix(path, "marginalize"), expected)


def test_a_word_is_no_missing_value(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("1,\n3,four\n")
    with pytest.raises(ValueError, match="row 2, column 2 is 'four', expected a number"):
        read_matrix(path, "marginalize")
