"""Crop, flips, CLAHE and brightness of a whole batch, on the device where the images lie.

The steps and their distributions are those of :meth:`Transforms.augment`; the numbers are drawn
otherwise, from one table an epoch instead of one generator an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from cellxai.data.pixels.clahe import equalise_batch
from cellxai.data.pixels.steps import CLAHE_CLIP_LIMIT, CLAHE_TILES
from cellxai.data.pixels.transforms import Transforms

N_DRAWS = 6  # crop down, crop across, flip left-right, flip upside-down, brightness, CLAHE
STREAM = 1  # apart from the order of the epoch, which is drawn from (seed, epoch) alone


@dataclass(frozen=True)
class Draws:
    """What is random about each image of a batch.

    Args:
        top: First row of the crop.
        left: First column of the crop.
        mirrored: Whether left and right change places.
        upside_down: Whether top and bottom do.
        brighter: Grey levels that are added, negative to darken.
        equalised: Whether CLAHE is applied before.
    """

    top: Int64[np.ndarray, " b"]
    left: Int64[np.ndarray, " b"]
    mirrored: Bool[np.ndarray, " b"]
    upside_down: Bool[np.ndarray, " b"]
    brighter: Int64[np.ndarray, " b"]
    equalised: Bool[np.ndarray, " b"]


class TensorImages(Dataset):
    """Training images by ``(epoch, index)``, augmented together on the device of ``images``.

    A loader asks for all images of a batch at once, and gets the batch as it is to be used: give it
    ``collate_fn=as_it_is`` and no workers.

    Args:
        images: Prepared images.
        labels: Their classes, on the same device.
        transforms: How images are augmented.
        seed: Another seed, other pictures.

    Raises:
        ValueError: If the transforms have augmentations of a user's own, or CLAHE in colour.
    """

    def __init__(
        self,
        images: UInt8[Tensor, "n p h w"],
        labels: Int64[Tensor, " n"],
        transforms: Transforms,
        seed: int,
    ) -> None:
        if transforms.augmentations:
            names = ", ".join(type(step).__name__ for step in transforms.augmentations)
            raise ValueError(
                f"transforms.augmentations={names}: pipeline=tensor works on whole batches; "
                "pass pipeline=albumentations"
            )
        if transforms.random_clahe and transforms.planes == "rgb":
            raise ValueError(
                f"transforms.random_clahe={transforms.random_clahe}: pipeline=tensor equalises "
                "no RGB; pass pipeline=albumentations, or transforms.planes=grey"
            )
        self.images = images
        self.labels = labels
        self.transforms = transforms
        self.seed = seed

    def __getitems__(
        self, keys: Sequence[tuple[int, int]]
    ) -> tuple[Float[Tensor, "b inputs h w"], Int64[Tensor, " b"]]:
        epochs, indices = zip(*keys, strict=True)
        return self.batch(epochs[0], np.array(indices))

    def batch(
        self, epoch: int, indices: Int64[np.ndarray, " b"]
    ) -> tuple[Float[Tensor, "b inputs h w"], Int64[Tensor, " b"]]:
        """The images at ``indices`` as an epoch shows them, in [0, 1], and their classes.

        A picture depends on the seed, the epoch and its index, not on the others of its batch.
        """
        table = draw_uniforms(self.seed, epoch, len(self.images))
        draws = scale_draws(table[indices], self.transforms, tuple(self.images.shape[-2:]))
        images = augment_batch(self.images, indices, draws, self.transforms.crop)
        chosen = torch.from_numpy(indices).to(self.labels.device)
        inputs = images.float().div_(255).expand(-1, self.transforms.n_inputs, -1, -1)
        return inputs, self.labels.index_select(0, chosen)


def keep_batch(batch: Any) -> Any:
    """The batch itself: nothing is left to collate."""
    return batch


@lru_cache(maxsize=2)
def draw_uniforms(seed: int, epoch: int, n_images: int) -> Float64[np.ndarray, "n draws"]:
    """Numbers in [0, 1) for every image of an epoch; a row does not depend on how many follow."""
    return np.random.default_rng([seed, epoch, STREAM]).random((n_images, N_DRAWS))


def scale_draws(
    uniform: Float64[np.ndarray, "b draws"], transforms: Transforms, size: tuple[int, ...]
) -> Draws:
    """What numbers in [0, 1) mean for images of ``size``, in the terms of Albumentations."""
    crop = size if transforms.crop is None else (transforms.crop, transforms.crop)
    shift = 255 * transforms.brightness * (2 * uniform[:, 4] - 1)
    return Draws(
        top=((size[0] - crop[0] + 1) * uniform[:, 0]).astype(np.int64),
        left=((size[1] - crop[1] + 1) * uniform[:, 1]).astype(np.int64),
        mirrored=uniform[:, 2] < transforms.horizontal_flip,
        upside_down=uniform[:, 3] < transforms.vertical_flip,
        # Down to the next grey level, as Albumentations cuts fractions off and does not round.
        brighter=np.floor(shift).astype(np.int64),
        equalised=uniform[:, 5] < transforms.random_clahe,
    )


def augment_batch(
    images: UInt8[Tensor, "n p h w"],
    indices: Int64[np.ndarray, " b"],
    draws: Draws,
    crop: int | None,
) -> UInt8[Tensor, "b p height width"]:
    """The images at ``indices`` cropped, flipped, equalised and shifted in brightness as drawn."""
    height, width = images.shape[-2:] if crop is None else (crop, crop)
    rows = pick_rows(images, indices, draws, height)
    return shift_brightness(
        equalise_chosen(pick_columns(rows, draws, width), draws.equalised), draws.brighter
    )


def pick_rows(
    images: UInt8[Tensor, "n p h w"], indices: Int64[np.ndarray, " b"], draws: Draws, height: int
) -> UInt8[Tensor, "b c height w"]:
    """Of each image at ``indices`` the rows of its crop, from below where it is upside down."""
    # Image, crop and flip in one copy of whole rows, ten times as fast as a flip afterwards.
    _, n_planes, n_rows, n_columns = images.shape
    row = np.arange(height)
    row = draws.top[:, None] + np.where(draws.upside_down[:, None], row[::-1], row)
    plane = indices[:, None, None] * n_planes + np.arange(n_planes)[:, None]
    places = torch.from_numpy((plane * n_rows + row[:, None]).ravel()).to(images.device)
    picked = images.reshape(-1, n_columns).index_select(0, places)
    return picked.reshape(len(indices), n_planes, height, n_columns)


def pick_columns(
    images: UInt8[Tensor, "b p h w"], draws: Draws, width: int
) -> UInt8[Tensor, "b p h width"]:
    """Of each image the columns of its crop, from the right where it is mirrored."""
    windows = [
        image[..., left : left + width]
        for image, left in zip(images, draws.left.tolist(), strict=True)
    ]
    mirrored = zip(windows, draws.mirrored.tolist(), strict=True)
    return torch.stack([window.flip(-1) if mirror else window for window, mirror in mirrored])


def equalise_chosen(
    images: UInt8[Tensor, "b p h w"], chosen: Bool[np.ndarray, " b"]
) -> UInt8[Tensor, "b p h w"]:
    """The images, each plane of those that are ``chosen`` equalised."""
    if not chosen.any():
        return images
    rows = torch.from_numpy(chosen.nonzero()[0]).to(images.device)  # a mask's length is unknown
    planes = images[rows]
    equalised = equalise_batch(planes.flatten(0, 1), CLAHE_CLIP_LIMIT, CLAHE_TILES)
    images[rows] = equalised.reshape(planes.shape)
    return images


def shift_brightness(
    images: UInt8[Tensor, "b p h w"], levels: Int64[np.ndarray, " b"]
) -> UInt8[Tensor, "b p h w"]:
    """The images brighter by so many grey levels each, cut off at black and white."""

    # In 8 bits throughout, four times as fast as by floats: first the pixels that would pass an end
    # are brought to where they reach it, then the sum cannot overflow (or wraps round to be right).
    def per_image(values: Int64[np.ndarray, " b"]) -> UInt8[Tensor, "b 1 1 1"]:
        return torch.from_numpy(values.astype(np.uint8)).to(images.device)[:, None, None, None]

    darkest, brightest = np.clip(-levels, 0, 255), np.clip(255 - levels, 0, 255)
    within = images.maximum(per_image(darkest)).minimum(per_image(brightest))
    return within + per_image(levels % 256)
