"""What is known of single planes, and maps brought to it: metrics of truth then count the plane.

A region or a part that has planes is compared with the map by plane, laid out alike. A map without
planes says the same of each, so its evidence is spread evenly: it can find the place, and never the
plane.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution
from cellxai.explain.by_plane import lay_under_each_other

ALL_PLANES = -1  # in ``part_planes``: a part that lies in all of them


def matched_to_region(
    attribution: Attribution, region: Bool[Tensor, "b h w"] | Bool[Tensor, "b c h w"]
) -> tuple[Float[Tensor, "b rows w"], Bool[Tensor, "b rows w"]]:
    """The map and the region, pixel by pixel; planes lie under each other where the region has any.

    Args:
        attribution: What is judged.
        region: Known pixels of the image, or of each of its planes.
    """
    if region.dim() == 3:
        return attribution.values, region
    by_plane = spread_over_planes(attribution, region.shape[1])
    return lay_under_each_other(by_plane)[:, 0], region.flatten(1, 2)


def spread_over_planes(attribution: Attribution, n_planes: int) -> Float[Tensor, "b c h w"]:
    """The map by plane; of a map without planes an even share in each."""
    if attribution.plane_values is not None:
        return attribution.plane_values
    even = attribution.values[:, None] / n_planes
    return even.expand(-1, n_planes, -1, -1)


def evidence_in_planes(
    by_plane: Float[Tensor, "b c h w"],
    parts: Bool[Tensor, "b p h w"],
    part_planes: Int[Tensor, "b p"],
) -> Float[Tensor, "b p"]:
    """Sum of the map over each part in its own plane, or in all planes, in float64.

    Args:
        by_plane: The map by plane.
        parts: Pixels of each part; parts may overlap.
        part_planes: Plane of each part, ``ALL_PLANES`` for all.
    """
    sums = parts.flatten(2).double() @ by_plane.flatten(2).double().mT
    own = sums.gather(2, part_planes.clamp(min=0).long()[..., None])[..., 0]
    return torch.where(part_planes == ALL_PLANES, sums.sum(2), own)
