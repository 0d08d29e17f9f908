"""Perturbed images through the model: superpixels hidden on the device, in batches that fit."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from cellxai.explain.base import Context, Model


def perturbed(
    image: Float[Tensor, "c h w"],
    fill: Float[Tensor, "c h w"],
    superpixels: Int[Tensor, "h w"],
    masks: Bool[Tensor, "n s"],
) -> Float[Tensor, "n c h w"]:
    """The image with the superpixels that a mask does not show replaced by ``fill``."""
    return torch.where(masks[:, superpixels][:, None], image, fill)


@torch.no_grad()
def perturbed_scores(
    model: Model,
    images: Float[Tensor, "b c h w"],
    context: Context,
    owners: Int64[Tensor, " n"],
    masks: Bool[Tensor, "n s"],
    columns: Int[Tensor, "b t"],
    bf16: bool = False,
) -> Float[Tensor, "n t"]:
    """Scores of perturbed images in float64; memory is bounded by the batch, whatever n.

    Args:
        model: Images to scores.
        images: What is perturbed.
        context: Superpixels, baseline and batch size.
        owners: Which image each mask belongs to, in ascending order so that batches are few pieces.
        masks: The superpixels shown; columns beyond an image's own are ignored.
        columns: The scores wanted of each image.
        bf16: Whether the model computes in mixed precision.
    """

    def scores(rows: slice) -> Float[Tensor, "m t"]:
        batch = torch.cat(list(_pieces(images, context, owners[rows], masks[rows])))
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
            answer = model(batch)
        return answer.gather(1, columns[owners[rows]]).double()

    none = columns.new_empty((0, columns.shape[1]), dtype=torch.float64)
    return torch.cat([none, *in_batches(scores, len(masks), context.batch_size)])


def in_batches(compute: Callable[[slice], Tensor], n: int, batch_size: int) -> Iterator[Tensor]:
    """Results of consecutive slices of 0…n−1; where memory does not suffice, of half as many.

    Raises:
        RuntimeError: If memory does not suffice for one.
    """
    start = 0
    while start < n:
        try:
            yield compute(slice(start, min(start + batch_size, n)))
        except RuntimeError as error:
            if batch_size == 1 or not is_out_of_memory(error):
                raise
            batch_size //= 2
        else:
            start += batch_size


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device could not find the memory that was asked for."""
    # The CPU's allocator has no exception of its own, only these words.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _pieces(
    images: Float[Tensor, "b c h w"],
    context: Context,
    owners: Int64[Tensor, " n"],
    masks: Bool[Tensor, "n s"],
) -> Iterator[Float[Tensor, "m c h w"]]:
    """The perturbed images, those of one owner together."""
    which, sizes = owners.unique_consecutive(return_counts=True)
    for owner, own in zip(which.tolist(), masks.split(sizes.tolist()), strict=True):
        yield perturbed(images[owner], context.baseline[owner], context.superpixels[owner], own)
