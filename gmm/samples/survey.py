"""A first pass over chunks of samples: their number, mean, variance and form."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.memory import budget_of
from gmm.samples.placement import to_tensor
from gmm.samples.validation import read_numbers, validate_weights


@dataclass(frozen=True)
class Moments:
    """Mean and variance of samples, such that those of parts add up to those of the whole.

    Args:
        n_samples: Number of samples.
        weight: Number of samples, each as often as it counts.
        mean: Mean of the known values of each feature.
        squares: Squared deviations from the mean, summed over samples and features.
        known: Number of known values of each feature, each as often as its sample counts.
        n_missing: Number of values that are missing.
    """

    n_samples: int
    weight: Float[Tensor, ""]
    mean: Float[Tensor, " d"]
    squares: Float[Tensor, ""]
    known: Float[Tensor, " d"]
    n_missing: int = 0

    def __add__(self, other: "Moments") -> "Moments":
        """The moments of both: Chan, Golub & LeVeque (1983), eq. 1.5, which cancels nothing."""
        known = self.known + other.known
        step = other.mean - self.mean
        share = (other.known / known).where(known > 0, 0.0)
        return Moments(
            self.n_samples + other.n_samples,
            self.weight + other.weight,
            self.mean + share * step,
            self.squares + other.squares + (self.known * share * step.square()).sum(),
            known,
            self.n_missing + other.n_missing,
        )

    @property
    def variance(self) -> float:
        """Mean variance of a feature, where the mean stands for what is missing."""
        return float(self.squares / self.weight) / len(self.mean)


@dataclass(frozen=True)
class Survey:
    """What is known of samples before the first iteration.

    Args:
        moments: Mean and variance, in float64, on the device to compute on.
        dtype: The least precision that holds every chunk, float32 or float64.
        as_tensors: Whether the chunks are tensors rather than arrays.
        weights: How often each sample counts; None for once.
        first: The first sample, by which another order in a later pass shows where it matters.
    """

    moments: Moments
    dtype: torch.dtype
    as_tensors: bool
    weights: Float[Tensor, " n"] | None = None
    first: Float[Tensor, " d"] | None = None

    @property
    def device(self) -> torch.device:
        """Where to compute."""
        return self.moments.mean.device

    def with_dtype(self, dtype: torch.dtype | None) -> "Survey":
        """The survey of samples to compute with in another precision; None for the same."""
        return replace(self, dtype=dtype or self.dtype)


def survey(
    matrices: Iterable[np.ndarray | Tensor],
    sample_weight: ArrayLike | Tensor | None = None,
    device: str | torch.device | None = None,
) -> Survey | None:
    """Reads all chunks once; None if there are none.

    Args:
        matrices: Chunks with at least one row each.
        sample_weight: How often each sample counts, in their order; None for once.
        device: Where to compute; None for where the first chunk is.

    Raises:
        ValueError: If the weights are not one finite number >= 0 for each sample.
    """
    weights = None if sample_weight is None else _weights(sample_weight)
    so_far, first = None, 0
    for matrix in matrices:
        x = as_tensor(matrix)
        start, first = first, first + len(x)
        if weights is not None and len(weights) < first:
            continue  # an error, once all samples are counted
        place = torch.device(device or (so_far.device if so_far else x.device))
        total = _moments(x, weights_of(weights, start, first, place), place)
        so_far = Survey(
            so_far.moments + total if so_far else total,
            torch.promote_types(so_far.dtype, x.dtype) if so_far else x.dtype,
            isinstance(matrix, Tensor),
            weights,
            so_far.first if so_far else x[0].detach().clone(),
        )
    if weights is not None and len(weights) != first:
        raise ValueError(
            f"sample_weight has {len(weights)} numbers, expected {first}: one for each sample of "
            f"the stream, in its order"
        )
    return so_far


def _moments(
    x: Float[Tensor, "n d"], weights: Float[Tensor, " n"] | None, device: torch.device
) -> Moments:
    total, n_missing = no_moments(x.shape[1], device), torch.zeros((), device=device).long()
    size = budget_of(device).part
    for first in range(0, len(x), size):
        part = x[first : first + size].detach().to(device, torch.float64)
        share = weights_of(weights, first, first + size, device)
        share = part.new_ones(len(part)) if share is None else share
        missing = part.isnan()
        known = share @ (~missing).to(part.dtype)
        mean = share @ part.where(~missing, 0.0) / known.clamp_min(torch.finfo(torch.float64).tiny)
        squares = share @ (part - mean).where(~missing, 0.0).square().sum(1)
        n_missing = n_missing + missing.sum()
        total = total + Moments(len(part), share.sum(), mean, squares, known)
    return replace(total, n_missing=int(n_missing))


def no_moments(n_features: int, device: torch.device) -> Moments:
    """The moments of no samples."""
    zeros = torch.zeros(n_features, dtype=torch.float64, device=device)
    return Moments(0, zeros.sum(), zeros, zeros.sum(), zeros)


def as_tensor(matrix: np.ndarray | Tensor) -> Tensor:
    """A chunk as a tensor that shares its memory."""
    return to_tensor(matrix)


def weights_of(
    weights: Float[Tensor, " n"] | None, first: int, end: int, device: torch.device
) -> Float[Tensor, " part"] | None:
    """The weights of the samples of a part; None where each counts once."""
    return None if weights is None else weights[first:end].to(device)


def _weights(sample_weight: ArrayLike | Tensor) -> Float[Tensor, " n"]:
    weights = read_numbers("sample_weight", sample_weight)
    # All may be 0: other processes can have samples that count.
    return validate_weights(weights, weights.reshape(-1, 1)) if weights.any() else weights


def check_weight(moments: Moments) -> None:
    """Refuses samples whose weights are all 0, and features of which no value is known.

    Raises:
        ValueError: If there are some.
    """
    if not moments.weight > 0:
        raise ValueError("sample_weight is 0 for every sample, expected at least one above 0")
    check_known(moments.known)


def check_known(known: Float[Tensor, " d"]) -> None:
    """Refuses features of which no value is known.

    Args:
        known: Number of known values of each.

    Raises:
        ValueError: Naming the column of the first.
    """
    if not known.all():
        column = int((known == 0).nonzero()[0, 0])
        raise ValueError(
            f"column {column} of x is NaN in every sample that counts, expected at least one "
            f"value; leave the column out"
        )
