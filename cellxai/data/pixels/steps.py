"""The single steps between a file's pixels and what the network sees."""

import os
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Num, UInt, UInt8

# Before the import, or Albumentations asks a server for its newest version: nothing here may
# reach for the network, and the version is pinned anyway.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A

CLAHE_CLIP_LIMIT = 4.0  # the source notebook's value; Albumentations draws it from 1…4 unless told
CLAHE_TILES = (8, 8)


class EqualisePlanes(A.ImageOnlyTransform):
    """CLAHE of each plane for itself: Albumentations' own takes one plane or three colours."""

    def get_params(self) -> dict[str, Any]:
        """The clip limit, drawn from a range of one value as Albumentations' own step draws it."""
        return {"clip_limit": self.py_random.uniform(CLAHE_CLIP_LIMIT, CLAHE_CLIP_LIMIT)}

    def apply(
        self, img: UInt8[np.ndarray, "h w p"], clip_limit: float, **params: Any
    ) -> UInt8[np.ndarray, "h w p"]:
        """Every plane equalised."""
        return np.stack([equalise(np.ascontiguousarray(plane)) for plane in by_plane(img)], -1)


# Kept, because building the steps takes several times as long as applying them to an image.
@lru_cache(maxsize=8)
def build_augmentation(
    crop: int | None,
    horizontal_flip: float,
    vertical_flip: float,
    random_clahe: float,
    brightness: float,
    named_planes: bool = False,
) -> A.Compose:
    """Steps 4 to 7 with the settings of ``Transforms``, still without a random state."""
    window = [] if crop is None else [A.RandomCrop(crop, crop)]
    flips = [A.HorizontalFlip(p=horizontal_flip), A.VerticalFlip(p=vertical_flip)]
    equalising = EqualisePlanes(p=random_clahe) if named_planes else build_clahe(random_clahe)
    contrast = [equalising] if random_clahe else []
    shift = A.RandomBrightnessContrast((-brightness, brightness), (0.0, 0.0), p=1.0)
    return A.Compose([*window, *flips, *contrast, shift])


def build_clahe(p: float) -> A.CLAHE:
    """Albumentations' CLAHE with one clip limit; by itself it would draw one between 1 and 4."""
    clip_limit = (CLAHE_CLIP_LIMIT, CLAHE_CLIP_LIMIT)
    return A.CLAHE(clip_limit=clip_limit, tile_grid_size=CLAHE_TILES, p=p)


def convert_colour(
    image: UInt[np.ndarray, "h w *c"], colour: Literal["grey", "rgb"]
) -> UInt[np.ndarray, "h w *planes"]:
    """The image as one grey plane, or as RGB with equal planes where it was grey."""
    if colour == "grey" and image.ndim == 3:
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if colour == "rgb" and image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=-1)
    return image


def equalise(
    image: UInt8[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"],
) -> UInt8[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"]:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994), never drawn at random."""
    return build_clahe(1.0)(image=image)["image"]


def resize(
    image: UInt8[np.ndarray, "h w *c"], size: tuple[int, int]
) -> UInt8[np.ndarray, "height width *c"]:
    """The image at ``size`` (height, width), without aliasing where it shrinks."""
    height, width = size
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=interpolation)


def by_plane(image: Num[np.ndarray, "h w p"]) -> Num[np.ndarray, "p h w"]:
    """The planes of an image one after another, whole in memory: OpenCV takes four at most."""
    return np.ascontiguousarray(np.moveaxis(image, -1, 0))
