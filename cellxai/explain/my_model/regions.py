"""What a user knows of the images beforehand: regions that an explanation should mark."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

Regions = Mapping[str, Any]
"""By name a mask [b h w], or a list of one [h w] for each image."""


def regions_of_images(
    regions: Regions | None, images: Sequence[Float[Tensor, "_c _h _w"]]
) -> list[dict[str, Bool[Tensor, "_h _w"]]]:
    """The masks of each image, on its device.

    Raises:
        ValueError: If a region has another number of masks, or one of another size.
    """
    known: list[dict[str, Tensor]] = [{} for _ in images]
    for name, masks in (regions or {}).items():
        single = isinstance(masks, Tensor | np.ndarray) and masks.ndim == 2
        listed = [masks] if single else list(masks)
        if len(listed) != len(images):
            raise ValueError(
                f"regions[{name!r}] has {len(listed)} masks and there are {len(images)} images; "
                "pass one for each"
            )
        for place, (mask, image) in enumerate(zip(listed, images, strict=True)):
            region = torch.as_tensor(np.asarray(mask) if not isinstance(mask, Tensor) else mask)
            if region.shape != image.shape[-2:]:
                raise ValueError(
                    f"regions[{name!r}][{place}] has shape {list(region.shape)}, expected that of "
                    f"its image, {list(image.shape[-2:])}"
                )
            known[place][name] = (region != 0).to(image.device)
    return known
