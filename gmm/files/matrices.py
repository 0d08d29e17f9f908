"""Matrices on disk: ``.npy``, ``.csv`` and ``.safetensors``, chosen by the suffix."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from jaxtyping import Float, Shaped

from gmm.files.atomic import atomic

Format = TypeVar("Format")
INDEX_NAMES = ("", "Unnamed: 0")  # of the column of row names that pandas writes, and reads back
TENSOR = "x"  # the name of a matrix that this package writes into a .safetensors file


def read_matrix(path: Path | str) -> Float[np.ndarray, "n d"]:
    """Samples in rows; a one-dimensional array becomes one column.

    Args:
        path: A ``.npy`` file without objects; a ``.csv`` file with or without a header, of which
            a first column without a name is left out: it numbers the rows; or a ``.safetensors``
            file with one tensor, or one that is called ``x``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the suffix is unknown or the content is not a matrix of numbers; for CSV it
            names row and column.
    """
    path = Path(path)
    read = _choose(path, {".npy": _read_npy, ".csv": _read_csv, ".safetensors": _read_safetensors})
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, expected a matrix of samples in rows")
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
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, expected a matrix of samples in rows")
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
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{path}: {_one_line(error)}; expected an array of numbers written by numpy.save"
        ) from error


def _map_npy(path: Path) -> tuple[Sequence[int], Any]:
    matrix = _read_npy(path, "r")
    return matrix.shape, matrix


def _read_csv(path: Path) -> np.ndarray:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(row, cells) for row, cells in enumerate(csv.reader(file), 1) if any(cells)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: {_one_line(error)}; expected CSV in UTF-8") from error
    width = len(lines[0][1]) if lines else 0
    for row, cells in lines:
        if len(cells) != width:
            raise ValueError(
                f"{path}: row {row} has {len(cells)} columns, expected {width} as in row "
                f"{lines[0][0]}"
            )
    names = lines[0][1] if lines else []
    has_index = len(names) > 1 and names[0] in INDEX_NAMES and _are_names(names[1:])
    lines = [(row, cells[has_index:]) for row, cells in lines]
    has_header = _has_header(path, [cells for _, cells in lines])
    numbers = [_numbers(path, row, cells, 1 + has_index) for row, cells in lines[has_header:]]
    return np.array(numbers, dtype=np.float64).reshape(len(numbers), width - has_index)


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
                return matrix.get_shape(), matrix
    except (SafetensorError, OSError, TypeError) as error:
        raise ValueError(f"{path}: {_one_line(error)}; expected a .safetensors file") from error
    raise ValueError(
        f"{path}: {len(names)} tensors ({', '.join(names[:5])}), expected one, or one called "
        f"{TENSOR!r}; save the matrix under that name"
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
    return " ".join(str(error).split())
