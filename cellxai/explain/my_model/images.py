"""Images as a user has them, from NumPy, Pillow or torch, as tensors [c h w] in [0, 1]."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

PlaneValues = int | float | Sequence[int | float]
"""A number for all planes, or one for each."""

Bounds = tuple[PlaneValues, PlaneValues]
"""The smallest and largest value that an image can have."""

TOLERANCE = 1e-3  # beyond [0, 1]: what resizing with a cubic spline overshoots is cut off up to it
PIL_MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}


def read_images(images: object, bounds: Bounds | None = None) -> list[Float[Tensor, "_c _h _w"]]:
    """Every image as planes × rows × columns in [0, 1]; float64 stays, all else is float32.

    Taken are one image, a batch of them, or a list, of any sizes: uint8, or floats in [0, 1];
    [h w], planes first or planes last, told apart by the shorter axis. A batch has four axes.

    Args:
        images: Arrays of NumPy, tensors of torch, or images of Pillow.
        bounds: Of images that are normalised already: they are scaled from there to [0, 1].

    Raises:
        TypeError: If it is something else, such as a path.
        ValueError: If there is none, or its numbers are neither uint8 nor in [0, 1] or the bounds.
    """
    singles = _singles(images)
    if not singles:
        raise ValueError("images is empty; pass at least one image")
    return [_image(single, f"images[{i}]", bounds) for i, single in enumerate(singles)]


def _singles(images: object) -> list[Any]:
    """One entry for each image."""
    if isinstance(images, Tensor | np.ndarray):
        if images.ndim == 4:
            return list(images)
        return [images]
    if isinstance(images, list | tuple):
        return [single for entry in images for single in _singles(entry)]
    return [images]


def _image(image: Any, name: str, bounds: Bounds | None) -> Float[Tensor, "c h w"]:
    if _is_pillow(image):
        image = _from_pillow(image, name)
    if isinstance(image, np.ndarray):
        image = _from_numpy(image, name)
    if not isinstance(image, Tensor):
        raise TypeError(
            f"{name} is a {type(image).__name__}, expected an array of NumPy, a tensor of torch or "
            "an image of Pillow; a path is opened by PIL.Image.open(path)"
        )
    return _scale(_planes_first(image.detach(), name), name, bounds)


def _is_pillow(image: object) -> bool:
    # Who has an image of Pillow has imported it.
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def _from_pillow(image: Any, name: str) -> np.ndarray:
    mode = PIL_MODES.get(image.mode)
    if mode is None or "transparency" in image.info:
        raise ValueError(
            f"{name} has Pillow's mode {image.mode}, expected 8-bit grey or RGB without "
            "transparency; convert it, as by image.convert('RGB'), or scale 16 bits to [0, 1]"
        )
    return np.array(image.convert(mode))


def _from_numpy(image: np.ndarray, name: str) -> Tensor:
    if image.dtype.kind not in "fub" or image.dtype.itemsize > 8:
        raise _unknown_numbers(name, str(image.dtype))
    if image.dtype.kind == "u" and image.dtype.itemsize > 1:
        raise _unknown_numbers(name, str(image.dtype))
    # A copy: of negative strides, of the other byte order, and of arrays that may not be written.
    return torch.from_numpy(image.astype(image.dtype.newbyteorder("="), copy=True))


def _planes_first(image: Tensor, name: str) -> Tensor:
    if image.ndim == 2:
        image = image[None]
    if image.ndim != 3 or 0 in image.shape:
        raise ValueError(
            f"{name} has shape {list(image.shape)}, expected [h w], [c h w] or [h w c]; "
            "a batch is [b c h w], [b h w c] or a list"
        )
    return image.movedim(-1, 0) if image.shape[-1] < image.shape[0] else image


def _scale(image: Tensor, name: str, bounds: Bounds | None) -> Float[Tensor, "c h w"]:
    if bounds is None and image.dtype == torch.uint8:
        return image.float().contiguous() / 255
    if not image.is_floating_point():
        raise _unknown_numbers(name, str(image.dtype).removeprefix("torch."))
    image = image if image.dtype == torch.float64 else image.float()
    if bounds is not None:
        low, high = (plane_values(bound, len(image), image, "bounds") for bound in bounds)
        image = (image - low) / (high - low)
    low, high = image.aminmax()
    if low >= 0 and high <= 1:
        return image.clone(memory_format=torch.contiguous_format)
    # NaN passes: an image with pixels that are no numbers has a verdict of its own.
    if ((image < -TOLERANCE) | (image > 1 + TOLERANCE)).any():
        raise _outside(name, image, bounds)
    return image.clamp(0, 1).contiguous()


def _outside(name: str, image: Tensor, bounds: Bounds | None) -> ValueError:
    known = image[image.isfinite()]
    low, high = float(known.min()), float(known.max())
    if bounds is not None:
        return ValueError(
            f"{name} leaves bounds={bounds}: scaled by them it goes from {low:.3g} to {high:.3g}; "
            "pass the smallest and largest value that an image can have"
        )
    if low >= 0 and high <= 255:
        way_out = "divide it by 255, or pass it as uint8"
    else:
        way_out = (
            "if it is normalised, pass it as it was before with mean= and std=, or state the "
            "bounds=(lowest, highest) of normalised pixels"
        )
    return ValueError(f"{name} goes from {low:.3g} to {high:.3g}, expected [0, 1]; {way_out}")


def _unknown_numbers(name: str, dtype: str) -> ValueError:
    return ValueError(
        f"{name} holds {dtype}, expected uint8 or floats in [0, 1]; "
        "scale it, such as 16 bits by image / 65535"
    )


def plane_values(
    value: PlaneValues, n_planes: int, like: Tensor, name: str
) -> Float[Tensor, "c 1 1"]:
    """One number for each plane, of one for all or one for each.

    Raises:
        ValueError: If there is another number of them.
    """
    numbers = torch.as_tensor(value, dtype=like.dtype, device=like.device).flatten()
    if len(numbers) not in (1, n_planes):
        raise ValueError(
            f"{name} has {len(numbers)} numbers and the images {n_planes} planes; "
            f"pass 1 or {n_planes} numbers"
        )
    return numbers.expand(n_planes)[:, None, None]
