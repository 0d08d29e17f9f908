"""Matrices on disk: ``.npy``, ``.csv`` and ``.safetensors``, chosen by the suffix."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from jaxtyping import Float, Shaped

from gmm.files.atomic import atomic
from gmm.options import Missing

Format = TypeVar("Format")
INDEX_NAMES = ("", "Unnamed: 0")  # of the column of row names that pandas writes, and reads back
OTHER_MARKS = {";": "semicolons", "\t": "tabs"}  # that some programs put between cells
NUMPY_DTYPES = (
    "F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"
)  # fmt: skip
ABSENT = ("", "NA", "N/A", "<NA>", "null")  # what R, pandas and others write for no value
TENSOR = "x"  # the name of a matrix that this package writes into a .safetensors file


def read_matrix(path: Path | str, missing: Missing = "error") -> Float[np.ndarray, "n d"]:
    """Samples in rows; a one-dimensional array becomes one column.

    Args:
        path: A ``.npy`` file without objects; a ``.csv`` file with or without a header, of which
            a first column without a name is left out: it numbers the rows; or a ``.safetensors``
            file with one tensor, or one that is called ``x``.
        missing: With ``marginalize``, a cell of a ``.csv`` file that is empty or says NA is NaN, as
            is one that says so in any case; a row of several empty cells is a sample.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the suffix is unknown or the content is not a matrix of numbers; for CSV it
            names row and column.
    """
    path = Path(path)
    read_csv = partial(_read_csv, absent=ABSENT if missing == "marginalize" else ())
    read = _choose(path, {".npy": _read_npy, ".csv": read_csv, ".safetensors": _read_safetensors})
    check_file(path, "a matrix of samples in rows")
    return _samples_in_rows(path, read(path))


def file_chunks(path: Path | str, numbers: int) -> Iterator[Float[np.ndarray, "part d"]]:
    """The rows of a matrix on disk, part by part; a part that was read is not kept.

    Args:
        path: A ``.npy`` or ``.safetensors`` file, as for :func:`read_matrix`.
        numbers: How many numbers to hold at a time; a part has at least one row.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the suffix is another one or the content is not a matrix of numbers.
    """
    path = Path(path)
    opened = _choose(path, {".npy": _map_npy, ".safetensors": _map_safetensors})
    check_file(path, "a matrix of samples in rows")
    shape, _ = opened(path)
    if not 1 <= len(shape) <= 2 or 0 in shape:
        raise ValueError(f"{path}: shape {tuple(shape)}, expected samples in rows, n × d")
    rows = max(1, numbers // math.prod(shape[1:]))
    for first in range(0, shape[0], rows):
        # Opened anew for every part: pages of a file that stays mapped count as memory.
        _, matrix = opened(path)
        yield _samples_in_rows(path, np.array(matrix[first : min(first + rows, shape[0])]))


def write_columns(path: Path | str, columns: Mapping[str, Shaped[np.ndarray, " n"]]) -> None:
    """Writes named columns of equal length as one matrix, atomically.

    Args:
        path: Its suffix chooses the format: ``.npy``, ``.csv`` or ``.safetensors``.
        columns: The names become the header of a CSV file; the other formats leave them out and
            have one type for all columns.

    Raises:
        ValueError: If the suffix is unknown.
    """
    path = Path(path)
    write = _choose(
        path, {".npy": _write_npy, ".csv": _write_csv, ".safetensors": _write_safetensors}
    )
    with atomic(path) as temporary:
        write(temporary, columns)


def check_file(path: Path, expected: str) -> None:
    """Refuses what cannot be read as a file: nothing, a folder, a pipe or a device.

    Raises:
        FileNotFoundError: If there is nothing, or a link to nothing.
        ValueError: If it is no regular file, of which reading might never end.
    """
    if path.is_file():
        return
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file, expected {expected}")
    kind = "a folder" if path.is_dir() else "a pipe or a device"
    raise ValueError(f"{path}: {kind}, expected a file with {expected}")


def _samples_in_rows(path: Path, values: np.ndarray) -> Float[np.ndarray, "n d"]:
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.dtype.kind not in "fiub" or not values.size:
        raise ValueError(
            f"{path}: shape {values.shape} of {values.dtype}, expected samples in rows, n × d, "
            f"of real numbers"
        )
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


def _choose(path: Path, by_suffix: dict[str, Format]) -> Format:
    """The reader or writer for the suffix of a path."""
    if path.suffix.lower() not in by_suffix:
        raise ValueError(
            f"{path}: suffix {path.suffix!r}, expected one of {', '.join(by_suffix)}; "
            f"rename or convert the file"
        )
    return by_suffix[path.suffix.lower()]


def _read_npy(path: Path, mmap_mode: Literal["r"] | None = None) -> np.ndarray:
    try:
        # An array of objects is a pickle, and a pickle is a program.
        return np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        # Of a MemoryError too: a header of a few bytes can claim any number of them.
        raise ValueError(
            f"{path}: {_one_line(error)}; expected an array of numbers written by numpy.save"
        ) from error


def _map_npy(path: Path) -> tuple[Sequence[int], Any]:
    matrix = _read_npy(path, "r")
    return matrix.shape, matrix


def _read_csv(path: Path, absent: Sequence[str]) -> np.ndarray:
    """The numbers of a table; NaN where a cell is one of ``absent``."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [
                (row, cells)
                for row, cells in enumerate(csv.reader(file), 1)
                if any(cells) or (absent and len(cells) > 1)
            ]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise ValueError(f"{path}: {_one_line(error)}; expected CSV in UTF-8") from error
    _check_delimiter(path, [cells for _, cells in lines[:2]])
    width = len(lines[0][1]) if lines else 0
    for row, cells in lines:
        if len(cells) != width:
            raise ValueError(
                f"{path}: row {row} has {len(cells)} columns, expected {width} as in row "
                f"{lines[0][0]}"
            )
    first_row = lines[0][0] if lines else 0
    lines = [(row, _mark_absent(cells, absent, row == first_row)) for row, cells in lines]
    names = lines[0][1] if lines else []
    has_index = len(names) > 1 and names[0] in INDEX_NAMES and _are_names(names[1:])
    lines = [(row, cells[has_index:]) for row, cells in lines]
    has_header = _has_header(path, [cells for _, cells in lines])
    numbers = [_numbers(path, row, cells, 1 + has_index) for row, cells in lines[has_header:]]
    return np.array(numbers, dtype=np.float64).reshape(len(numbers), width - has_index)


def _check_delimiter(path: Path, rows: Sequence[list[str]]) -> None:
    """Refuses a file whose first row has other marks between its cells than commas."""
    for mark, name in OTHER_MARKS.items():
        if rows and len(rows[0]) == 1 and mark in rows[0][0]:
            raise ValueError(
                f"{path}: row 1 is {rows[0][0]!r}, with {name} between its cells, expected commas "
                f"and decimal points; write the file again with them"
            )


def _mark_absent(cells: list[str], absent: Sequence[str], is_first: bool) -> list[str]:
    """The cells of a row with NaN for absent ones; a first row with words is a header and stays."""
    marked = ["nan" if cell.strip() in absent else cell for cell in cells]
    return cells if is_first and not all(map(_is_number, marked)) else marked


def _has_header(path: Path, rows: Sequence[list[str]]) -> bool:
    """Whether the first row names the columns.

    Raises:
        ValueError: If it may be a sample as well.
    """
    if not rows or not _are_names(rows[0]):
        return False
    numbered = all(map(_is_number, rows[0]))
    if numbered and all(cell.lstrip("+-").isdigit() for row in rows[1:] for cell in row):
        raise ValueError(
            f"{path}: row 1 is {','.join(rows[0])}, which is both the header that pandas writes "
            f"for columns without names and a sample; name the columns, or write the sample with "
            f"decimal points"
        )
    return True


def _are_names(cells: Sequence[str]) -> bool:
    """Whether cells can name columns: words, or their numbers from 0, as pandas has them."""
    words = not any(map(_is_number, cells))
    return words or list(cells) == list(map(str, range(len(cells))))


def _numbers(path: Path, row: int, cells: list[str], first: int) -> list[float]:
    for column, cell in enumerate(cells, first):
        if not _is_number(cell):
            raise ValueError(
                f"{path}: row {row}, column {column} is {cell!r}, expected a number; "
                f"remove the column or correct the value"
            )
    return [float(cell) for cell in cells]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read_safetensors(path: Path) -> np.ndarray:
    shape, matrix = _map_safetensors(path)
    return matrix[...] if shape else np.empty(())


def _map_safetensors(path: Path) -> tuple[Sequence[int], Any]:
    """The shape of a matrix, and an object that reads the rows that it is indexed with."""
    from safetensors import SafetensorError, safe_open  # not before there is such a file

    try:
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
            name = TENSOR if TENSOR in names else names[0] if len(names) == 1 else None
            if name is not None:
                matrix = file.get_slice(name)
                _check_dtype(path, name, matrix.get_dtype())
                return matrix.get_shape(), matrix
    except (SafetensorError, OSError, TypeError) as error:
        raise ValueError(f"{path}: {_one_line(error)}; expected a .safetensors file") from error
    raise ValueError(
        f"{path}: {len(names)} tensors ({', '.join(names[:5])}), expected one, or one called "
        f"{TENSOR!r}; save the matrix under that name"
    )


def _check_dtype(path: Path, name: str, dtype: str) -> None:
    if dtype not in NUMPY_DTYPES:
        raise ValueError(
            f"{path}: tensor {name!r} has dtype {dtype}, expected one of "
            f"{', '.join(NUMPY_DTYPES)}; convert it to float32"
        )


def _write_npy(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    np.save(path, np.column_stack(list(columns.values())), allow_pickle=False)


def _write_csv(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        # tolist, since the repr of a Python float reads back exactly.
        table.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def _write_safetensors(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    from safetensors.numpy import save_file

    save_file({TENSOR: np.column_stack(list(columns.values()))}, path)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
