"""Known noise of samples, as users pass it in."""

import torch
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.samples.placement import to_tensor

CHECKED_NUMBERS = 2**22  # of noise covariances that are factorised at a time
ROUNDING = 1e-6  # of the largest variance of a sample: a covariance in single precision is so wrong


def read_noise(
    noise_covariances: ArrayLike | Tensor, x: Float[Tensor, "n d"], known: Bool[Tensor, "n d"]
) -> Float[Tensor, "n d *d"]:
    """Noise covariances in float64, on the device of the samples; 0 where a value is missing.

    Args:
        noise_covariances: Variances, n × d, or covariances, n × d × d.
        x: The samples.
        known: Where a value of theirs is known.

    Raises:
        ValueError: If they have another shape, are not finite or not the covariances of anything.
    """
    noise = _as_numbers(noise_covariances).detach().to(x.device, torch.float64)
    n, d = x.shape
    if noise.shape not in ((n, d), (n, d, d)):
        raise ValueError(
            f"noise_covariances has shape {tuple(noise.shape)}, expected ({n}, {d}) variances or "
            f"({n}, {d}, {d}) covariances: the noise of every sample"
        )
    read = known if noise.ndim == 2 else known[:, :, None] & known[:, None]
    noise = noise.where(read, 0.0)
    faulty = ~noise.isfinite().flatten(1).all(1)
    if faulty.any():
        raise ValueError(
            f"noise_covariances[{_first(faulty)}] is not finite, expected finite numbers >= 0; "
            f"a value of infinite noise is a missing one: NaN in x with missing='marginalize'"
        )
    faulty = torch.cat([_are_wrong(part) for part in noise.split(max(1, CHECKED_NUMBERS // d**2))])
    if faulty.any():
        row = _first(faulty)
        raise ValueError(
            f"noise_covariances[{row}] is {noise[row].tolist()}, expected variances >= 0, or a "
            f"symmetric matrix without negative eigenvalues; pass squares of standard deviations"
        )
    return noise


def _as_numbers(noise_covariances: ArrayLike | Tensor) -> Tensor:
    try:
        noise = to_tensor(noise_covariances)
        problem = f"dtype {noise.dtype}" if noise.is_complex() else None
    except (TypeError, ValueError) as error:
        noise, problem = torch.empty(0), " ".join(str(error).split())
    if problem is not None:
        raise ValueError(
            f"noise_covariances is no array of real numbers ({problem}), expected variances, "
            f"n × d, or covariances, n × d × d"
        )
    return noise


def _are_wrong(noise: Float[Tensor, "part d *d"]) -> Bool[Tensor, " part"]:
    """Which are not covariances."""
    if noise.ndim == 2:
        return (noise < 0).any(1)
    scale = noise.abs().flatten(1).amax(1)[:, None]
    asymmetric = ((noise - noise.mT).abs().flatten(1) > ROUNDING * scale).any(1)
    # Noise in some directions only is singular, which a little more in all of them mends.
    little = (ROUNDING * scale).clamp(min=torch.finfo(noise.dtype).tiny).expand(-1, noise.shape[1])
    return asymmetric | (torch.linalg.cholesky_ex(noise + little.diag_embed()).info > 0)


def _first(faulty: Bool[Tensor, " n"]) -> int:
    return int(faulty.nonzero()[0, 0])
