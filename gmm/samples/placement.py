"""Anything like an array as a tensor, and where and in which precision to compute with it."""

import os
import reprlib
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.options import FloatType

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def to_tensor(values: ArrayLike | Tensor) -> Tensor:
    """Values as a tensor, which shares the memory of an array where torch can.

    Arrays that run backwards, are read-only, or have bytes in another order or more of them than
    torch knows are copied.


    Raises:
        ValueError: If they are no numbers, or lists of unequal length.
    """
    if isinstance(values, Tensor):
        return values
    check_unmasked(values)
    array = np.asarray(values)
    if array.dtype in FLOATS and array.flags.behaved and min(array.strides, default=0) >= 0:
        return torch.from_numpy(array)
    if array.dtype.kind not in "fiubc":
        raise ValueError(f"got {reprlib.repr(values)} of dtype {array.dtype}, expected numbers")
    dtype = np.dtype(np.float64) if array.dtype == np.longdouble else array.dtype.newbyteorder("=")
    backwards = any(stride < 0 for stride in array.strides)
    if backwards or not array.flags.writeable or array.dtype != dtype:
        array = np.array(array, dtype=dtype, order="C")
    return torch.from_numpy(array)


def check_unmasked(values: Any) -> None:
    """Refuses arrays that say of some values that they do not count.

    Raises:
        ValueError: If one is masked.
    """
    if np.ma.is_masked(values):
        raise ValueError(
            f"got a masked array of which {np.ma.count_masked(values)} values are masked, expected "
            f"values alone; pass x.filled(numpy.nan) and missing='marginalize'"
        )


def as_floats(values: ArrayLike | Tensor) -> Tensor:
    """Values as a tensor of floating point; whole numbers become float64."""
    tensor = to_tensor(values)
    return tensor if tensor.is_floating_point() else tensor.double()


def read_dtype(dtype: FloatType | None) -> torch.dtype | None:
    """The precision that a setting names; None for that of the samples.

    Raises:
        ValueError: If it names another one.
    """
    if dtype is None:
        return None
    if not isinstance(dtype, str) or dtype not in get_args(FloatType):
        raise ValueError(
            f"dtype={dtype!r}, expected 'float32' or 'float64', or None for that of the samples"
        )
    return getattr(torch, dtype)


def own_device(device: str | torch.device) -> torch.device:
    """The device with the number of this process, where it has none of its own and is CUDA."""
    named = torch.device(device)
    local = os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", ""))
    if named.type != "cuda" or named.index is not None or not local.isdigit():
        return named
    return torch.device("cuda", int(local) % max(torch.cuda.device_count(), 1))


def read_device(device: str | torch.device | None) -> torch.device | None:
    """The device that a setting names; None for where the samples are.

    Of the processes that torchrun or SLURM starts on a machine, ``cuda`` is another GPU for each.

    Raises:
        ValueError: If there is no such device, or this machine does not have it.
    """
    if device is None:
        return None
    try:
        return torch.empty(0, device=own_device(device)).device
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={str(device)!r} cannot be used here ({reason}); expected a device that this "
            f"machine has, such as 'cpu', or None for where the samples are"
        ) from error
