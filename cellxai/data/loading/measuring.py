"""What is measured of the training images before anything is trained on them.

Both are functions of these images alone, and a run keeps them in its config: whatever is prepared
for it later, from `score` to an export, is brought to the same levels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import UInt8, UInt16
from torch import Tensor

from cellxai.data.frames.reading import read_frame
from cellxai.data.image_formats import ImageFault
from cellxai.data.pixels.planes import check_colours, take_planes
from cellxai.data.pixels.sixteen_bit import levels_of_all
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record

SMALLEST_SD = 1 / 255  # a plane that is blank in all images is not divided by nothing
N_DIGITS = 6  # of a mean or standard deviation: a config is read by people, too

PlaneMoments = tuple[tuple[float, ...], tuple[float, ...]]


def with_levels(transforms: Transforms, records: Sequence[Record]) -> Transforms:
    """The transforms with the levels of these images, where their rule asks for any.

    Args:
        transforms: Left as they are unless ``sixteen_bit`` is ``training`` without ``levels``.
        records: The training images; those of 8 bits, and broken ones, say nothing.
    """
    if transforms.sixteen_bit != "training" or transforms.levels is not None:
        return transforms
    n_planes = len(transforms.plane_names) or 1
    images = deep_planes(records, transforms)
    return replace(transforms, levels=levels_of_all(images, n_planes, transforms.percentiles))


def deep_planes(
    records: Sequence[Record], transforms: Transforms
) -> Iterator[UInt16[np.ndarray, "h w p"]]:
    """The 16-bit images as stored: named planes side by side, all colours in one plane."""
    for record in records:
        try:
            image = read_frame(record, transforms.stack)
            if isinstance(transforms.planes, str):
                image = check_colours(image, transforms.planes).reshape(len(image), -1, 1)
            else:
                image = take_planes(image, transforms.planes)
        except ImageFault:  # reported when it is prepared
            continue
        if image.dtype == np.uint16:
            yield image


def plane_moments(images: UInt8[Tensor, "n p h w"]) -> PlaneMoments:
    """Mean and standard deviation of each plane over all pixels of prepared images, in [0, 1].

    Exact, from counts of the 256 levels, and so the same in any order of the images.
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, sds = [], []
    for place in range(images.shape[1]):
        counts = sum(
            (torch.bincount(image[place].flatten(), minlength=256) for image in images),
            torch.zeros(256, dtype=torch.int64),
        )
        shares = counts.double() / max(int(counts.sum()), 1)
        mean = float(shares @ levels)
        sd = float((shares @ (levels - mean).square()).sqrt())
        means.append(round(mean, N_DIGITS))
        sds.append(round(max(sd, SMALLEST_SD), N_DIGITS))
    return tuple(means), tuple(sds)
