"""What the verbs that fit have in common: samples to read, and where a mixture goes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmm.options import FloatType, Missing

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

SAMPLE_SUFFIXES = (".npy", ".csv", ".safetensors")
LARGEST_SEED = 2**32 - 1
LARGEST_LOADED_BYTES = 2**30  # of a file to fit, of which k-means makes a second copy


def read_samples(
    path: Path, dtype: FloatType | None, device: str | None, missing: Missing = "error"
) -> "Tensor":
    """The samples of a file as a tensor, in a precision and on a device if they are given.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no matrix of numbers, or the device cannot be used.
    """
    from gmm.files.matrices import read_matrix
    from gmm.samples.placement import read_device, read_dtype, to_tensor

    place, precision = read_device(device), read_dtype(dtype)  # before the work of reading
    samples = to_tensor(read_matrix(path, missing))
    return samples.to(place or samples.device, precision or samples.dtype)


def is_large(path: Path) -> bool:
    """Whether a file is better read in chunks than loaded, and can be."""
    streamable = path.suffix.lower() in (".npy", ".safetensors")
    return streamable and path.is_file() and path.stat().st_size > LARGEST_LOADED_BYTES


def read_like(path: Path, mixture: Any, mixture_path: Path) -> "np.ndarray":
    """The samples of a file, as many columns wide as those that a mixture was fitted to.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no matrix of numbers, or one of another width.
    """
    from gmm.files.matrices import read_matrix

    samples = read_matrix(path, mixture.missing)
    expected = mixture.n_features_in_
    if samples.shape[1] != expected:
        raise ValueError(
            f"{path}: {samples.shape[1]} columns, expected {expected} as {mixture_path} was fitted "
            f"to; pass the same columns in the same order"
        )
    return samples


def check_suffix(option: str, path: Path | None, suffixes: Sequence[str]) -> None:
    """Refuses a name of a file to write before any work is done.

    Args:
        option: The option that it was given as.
        path: The file; None for none.
        suffixes: Those that say a format that can be written.

    Raises:
        ValueError: If it ends in another suffix.
    """
    if path is not None and path.suffix.lower() not in suffixes:
        raise ValueError(f"{option}={path}, expected a name that ends in {' or '.join(suffixes)}")


def check_picture_path(option: str, path: Path | None) -> None:
    """Refuses a name for a picture before any work is done.

    Raises:
        ValueError: If its suffix is no format that matplotlib writes.
    """
    if path is not None:
        from matplotlib.backend_bases import FigureCanvasBase

        formats = sorted(FigureCanvasBase.get_supported_filetypes())
        check_suffix(option, path, [f".{name}" for name in formats])


def check_seed(seed: int) -> None:
    """Refuses a seed that numpy does not take.

    Raises:
        ValueError: If it is negative or too large.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed={seed}, expected an integer from 0 to {LARGEST_SEED}")


def check_mixture_path(path: Path) -> None:
    """Refuses a name for a mixture's file before any work is done.

    Raises:
        ValueError: If it does not end in ``.safetensors``.
    """
    check_suffix("out", path, (".safetensors",))
