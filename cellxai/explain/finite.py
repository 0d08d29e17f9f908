"""Which images hold nothing but finite numbers, at the price of one sum."""

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor


def finite_images(images: Shaped[Tensor, "b ..."]) -> Bool[Tensor, " b"]:
    """Whether all numbers of each are finite.

    NaN and infinity stay in a sum, so that a finite sum is proof; where it is not, as of numbers so
    large that their sum overflows, each is looked at.
    """
    flat = images.flatten(1)
    if not flat.is_floating_point():
        return torch.ones(len(flat), dtype=torch.bool, device=flat.device)
    known = flat.sum(1).isfinite()
    return known if known.all() else flat.isfinite().all(1)
