"""Scores of perturbed images: superpixels hidden on the device, in batches that fit in memory."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from cellxai.explain.base import Context, Model


def hide_superpixels(
    image: Float[Tensor, "c h w"],
    fill: Float[Tensor, "c h w"],
    superpixels: Int[Tensor, "h w"],
    masks: Bool[Tensor, "n s"],
) -> Float[Tensor, "n c h w"]:
    """The image once per mask, with the superpixels that the mask does not show set to ``fill``."""
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
        owners: Which image each mask belongs to, in ascending order, so that masks of one image are
            together.
        masks: The superpixels shown; columns beyond an image's own are ignored.
        columns: Which scores are wanted of each image.
        bf16: Whether the model computes in mixed precision.
    """

    def scores(rows: slice) -> Float[Tensor, "m t"]:
        batch = torch.cat(list(_perturbed_images(images, context, listed[rows], masks[rows])))
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
            answer = model(batch)
        return answer.gather(1, columns[owners[rows]]).double()

    listed = owners.tolist()  # known to the host from here on: a batch waits for nothing
    no_scores = columns.new_empty((0, columns.shape[1]), dtype=torch.float64)
    return torch.cat([no_scores, *in_batches(scores, len(masks), context.batch_size)])


def in_batches(compute: Callable[[slice], Tensor], n: int, batch_size: int) -> Iterator[Tensor]:
    """Results of consecutive slices of 0…n−1; the slices are halved where memory is too small.

    Raises:
        RuntimeError: If memory does not suffice for a slice of one.
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
    """Whether the error says that memory did not suffice."""
    # The CPU's allocator has no exception of its own, only these words.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _perturbed_images(
    images: Float[Tensor, "b c h w"],
    context: Context,
    owners: Sequence[int],
    masks: Bool[Tensor, "n s"],
) -> Iterator[Float[Tensor, "m c h w"]]:
    """The perturbed images, those of one owner together."""
    runs = [(owner, len(list(same))) for owner, same in groupby(owners)]
    for (i, _), own_masks in zip(runs, masks.split([n for _, n in runs]), strict=True):
        yield hide_superpixels(images[i], context.baseline[i], context.superpixels[i], own_masks)
