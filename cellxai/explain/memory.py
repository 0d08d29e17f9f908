"""How much of the work of explaining fits a device at once: the only place that knows."""

import torch
from jaxtyping import Float
from torch import Tensor

MOST_PIXELS = {"cpu": 32 * 224 * 224, "cuda": 1024 * 224 * 224}
# Per forward pass: 32 images of the usual size. With 32 images of 520 × 704, a CPU spends its time
# on finding memory, and explaining one image takes minutes. A GPU is busy with many only; where its
# memory is too small for them, LIME and its like halve the batch until it is not.

MOST_IMAGES = {"cpu": 32, "cuda": 1024}  # that are tried to find the fastest batch


def most_images(images: Float[Tensor, "b c h w"]) -> int:
    """How many images of this size go through a model together at most, on their device."""
    return max(MOST_PIXELS[_kind(images.device)] // images[0, 0].numel(), 1)


def most_tried(device: torch.device) -> int:
    """The largest batch that is tried on a device to find the fastest."""
    return MOST_IMAGES[_kind(device)]


def _kind(device: torch.device) -> str:
    return "cpu" if device.type == "cpu" else "cuda"
