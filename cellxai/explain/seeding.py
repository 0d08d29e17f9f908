"""Random numbers that depend on a seed and an image alone, whatever batch the image is in."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def image_seed(image: Float[Tensor, "c h w"], seed: int) -> int:
    """A seed for this image alone, made of its pixels and of ``seed``."""
    # No identity (cellxai.files.identity): the sum only seeds, and another one would change every
    # random number that results were made with.
    pixels = image.detach().cpu().contiguous().flatten().view(torch.uint8)  # NumPy has no bfloat16
    content = zlib.crc32(pixels.numpy().tobytes())
    (entropy,) = np.random.SeedSequence([seed, content]).generate_state(1, np.uint64)
    return int(entropy >> np.uint64(1))


def generator_of(image: Float[Tensor, "c h w"], seed: int) -> torch.Generator:
    """A generator on the CPU, so that the numbers are the same for a GPU."""
    return torch.Generator().manual_seed(image_seed(image, seed))


@contextmanager
def seeded(image: Float[Tensor, "c h w"], seed: int) -> Iterator[None]:
    """Seeds the global generators, which Captum draws from, and restores them at the end."""
    devices = [image.device] if image.device.type == "cuda" else []
    numpy_state = np.random.get_state()  # noqa: NPY002  (Captum's GradientShap draws from it)
    with torch.random.fork_rng(devices):
        try:
            torch.manual_seed(image_seed(image, seed))
            np.random.seed(image_seed(image, seed) % 2**32)  # noqa: NPY002
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
