"""Units that one strange image cannot set: median and median absolute deviation."""

from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor

SHARES = {0.5: 0.6744897501960817, 0.95: 1.959963984540054}  # of |z| below which, z normal
LEAST_SHARE = 1e-3  # of the wider scale: a narrower one is that of a feature that hardly varies
LEAST_SPREAD = 1e-12  # relative to the widest feature, below which a feature is constant
FEATURES_AT_ONCE = 64  # sorting is done in copies of so many
FARTHEST = 5.0  # median distances from the middle: what lies beyond counts as if it lay there


def robust_scales(
    rows: Float[Tensor, "n f"],
) -> tuple[Float[Tensor, " f"], Float[Tensor, " f"]]:
    """Centre and scale of each feature; 1 is the scale of a constant feature.

    The scale is the median absolute deviation, as that of a normal variable with this standard
    deviation (Hampel 1974, doi:10.2307/2285666). A feature that is the same in half of the rows has
    none; then it is what nineteen in twenty deviations are below, and the standard deviation where
    even these are 0.
    """
    parts = [scales_of_few(columns) for columns in rows.split(FEATURES_AT_ONCE, 1)]
    centre, scale = (torch.cat(values) for values in zip(*parts, strict=True))
    return centre, torch.where(scale > LEAST_SPREAD * scale.max(), scale, 1.0)


def scales_of_few(
    rows: Float[Tensor, "n f"],
) -> tuple[Float[Tensor, " f"], Float[Tensor, " f"]]:
    """Centre and scale of each feature; 0 is the scale of a constant feature."""
    columns = rows.T.contiguous()  # the values of a feature side by side: a third of the time
    centre = columns.median(1).values
    deviations = (columns - centre[:, None]).abs_()
    narrow, wide = (
        deviations.kthvalue(max(1, ceil(share * len(rows))), 1).values / quantile
        for share, quantile in SHARES.items()
    )
    scale = torch.where(narrow > LEAST_SHARE * wide, narrow, wide)
    if bool((scale > 0).all()):
        return centre, scale
    return centre, torch.where(scale > 0, scale, rows.std(0, correction=0))


def pull_in(deviations: Float[Tensor, "n f"]) -> Float[Tensor, "n f"]:
    """Draws rows that lie beyond ``FARTHEST`` median lengths back to that length, in place.

    A single row then cannot own a direction of the covariance, however far it lies.
    """
    lengths = deviations.norm(dim=1)
    reach = FARTHEST * lengths.median()
    return deviations.mul_((reach / lengths.clamp(min=1e-300)).clamp(max=1.0)[:, None])
