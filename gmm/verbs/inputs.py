"""What the verbs that fit have in common: samples to read, and where a mixture goes."""

from pathlib import Path
from typing import TYPE_CHECKING

from gmm.options import FloatType, Missing

if TYPE_CHECKING:
    from torch import Tensor

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


def check_mixture_path(path: Path) -> None:
    """Refuses a name for a mixture's file before any work is done.

    Raises:
        ValueError: If it does not end in ``.safetensors``.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"out={path}, expected a name that ends in .safetensors")
