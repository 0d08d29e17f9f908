"""Checks of what users pass in: one line that names the argument, its value and the way out."""

import math
import reprlib
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.samples.placement import check_unmasked, to_tensor

MOST_LISTED = 3  # faulty values named before the rest are only counted


def read_numbers(name: str, values: ArrayLike | Tensor) -> Tensor:
    """An array, list or tensor of real numbers as a tensor of float64.

    Args:
        name: What the error calls it.
        values: The numbers.

    Raises:
        ValueError: If they are no real numbers, or lists of unequal length.
    """
    try:
        given = values if isinstance(values, Tensor) else to_tensor(values)
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{name} is {reprlib.repr(values)}, expected an array of real numbers ({reason})"
        ) from error
    if given.is_complex():
        raise ValueError(f"{name} has dtype {given.dtype}, expected real numbers; pass {name}.real")
    return given.double()


def validate_tensor(x: Tensor) -> Float[Tensor, "n d"]:
    """Samples as floating point; float32 and float64 stay what they are, others become float64.

    Raises:
        ValueError: If they are complex, sparse, not a matrix, or empty.
    """
    if x.layout != torch.strided or x.is_meta:
        kind = "on the meta device, without values" if x.is_meta else f"of layout {x.layout}"
        raise ValueError(f"x is a tensor {kind}, expected a dense one; pass x.to_dense()")
    if x.is_complex() or x.ndim != 2 or 0 in x.shape:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and dtype {x.dtype}, expected real samples in rows, "
            f"n × d, at least 1 × 1; reshape with x[:, None] if there is one feature"
        )
    return x if x.dtype in (torch.float32, torch.float64) else x.double()


def check_matrix(samples: Any) -> None:
    """Refuses arrays, frames and lists of rows that are not a matrix of real numbers.

    Raises:
        ValueError: If they are complex, not a matrix, or strings; it names the first faulty
            element.
        TypeError: If an element is an object that is not a number.
    """
    check_unmasked(samples)
    try:
        x = np.asarray(samples)
    except ValueError as error:
        raise ValueError(f"x is not a matrix, expected rows of equal length ({error})") from error
    if x.ndim == 0 and hasattr(samples, "toarray"):  # sparse: scikit-learn refuses it by its name
        return
    if x.ndim == 0:
        raise ValueError(
            f"x is {reprlib.repr(samples)}, expected samples in rows, n × d; to read a file pass "
            f"pathlib.Path(name) or gmm.read_matrix(name)"
        )
    if x.dtype.kind in "mM":
        raise ValueError(
            f"x has dtype {x.dtype}, expected numbers, not times; subtract a first time and divide "
            f"by a unit"
        )
    if x.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: x has dtype {x.dtype}, expected real numbers; "
            f"pass real and imaginary parts as columns"
        )
    if x.ndim != 2:
        raise ValueError(
            f"x has shape {x.shape}, expected samples in rows, n × d. Reshape your data with "
            f"x[:, None] if there is one feature, x[None] if there is one sample"
        )
    if x.dtype.kind in "OUS":
        _check_numbers(x)


def _check_numbers(x: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(x):
        try:
            float(value)
        except (TypeError, ValueError) as error:
            shown = reprlib.repr(str(value) if isinstance(value, str) else value)
            raise type(error)(
                f"x[{row}, {column}] is {shown}, expected a number ({error}); "
                f"encode column {column} as numbers or remove it"
            ) from error
    if x.dtype.kind in "US" and x.size:
        raise ValueError(
            f"x[0, 0] is {str(x[0, 0])!r}, a string, expected a number; convert with "
            f"x.astype(float)"
        )


def check_finite(x: Float[Tensor, "n d"], name: str = "x") -> None:
    """Refuses NaN and infinity.

    Args:
        x: Samples.
        name: What the error calls them.

    Raises:
        ValueError: Naming row, column and value of the first ones.
    """
    # A sum is finite only if all terms are; it needs no mask as large as the samples.
    if math.isfinite(x.sum().item()) or x.isfinite().all():
        return
    faults = (~x.isfinite()).nonzero().tolist()
    places = [
        f"{name}[{row}, {column}] is {_word(x[row, column].item())}" for row, column in faults
    ]
    rest = f" and {len(faults) - MOST_LISTED} more" if len(faults) > MOST_LISTED else ""
    raise ValueError(
        f"{', '.join(places[:MOST_LISTED])}{rest}; expected finite numbers, "
        f"remove these rows or fill them in"
    )


def _word(value: float) -> str:
    return "NaN" if value != value else str(value)


def validate_weights(
    sample_weight: ArrayLike | Tensor, x: Float[Tensor, "n d"]
) -> Float[Tensor, " n"]:
    """Sample weights in float64, on the device of the samples.

    Raises:
        ValueError: If they are not one finite number >= 0 per sample, or all 0.
    """
    weights = read_numbers("sample_weight", sample_weight).to(x.device)
    if weights.shape != x.shape[:1]:
        raise ValueError(
            f"sample_weight has shape {tuple(weights.shape)}, expected ({len(x)},): one number "
            f"per sample"
        )
    faulty = ~(weights.isfinite() & (weights >= 0))
    if faulty.any():
        row = int(faulty.nonzero()[0, 0])
        raise ValueError(
            f"sample_weight[{row}] is {_word(weights[row].item())}, expected a finite number >= 0; "
            f"give 0 to leave a sample out"
        )
    if not weights.any():
        raise ValueError("sample_weight is zero for every sample, expected at least one above 0")
    return weights


def check_sample_count(n_samples: int, n_components: int) -> None:
    """Refuses fewer samples than components.

    Raises:
        ValueError: If there are too few.
    """
    if n_samples < n_components:
        raise ValueError(
            f"n_components={n_components} needs at least as many samples, "
            f"got n_samples={n_samples}; pass n_components<={n_samples} or more data"
        )


def check_feature_count(n_features: int, expected: int, estimator: str) -> None:
    """Refuses samples of another dimension than the mixture's.

    Raises:
        ValueError: If they differ.
    """
    if n_features != expected:
        raise ValueError(
            f"X has {n_features} features, but {estimator} is expecting {expected} features "
            f"as input; pass the columns that it was fitted on"
        )
