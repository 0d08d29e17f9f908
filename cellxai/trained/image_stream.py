"""Images of any number through a network, a chunk at a time: memory does not grow with them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from cellxai.data.loading.datamodule import to_batch
from cellxai.data.loading.prepared import prepare_all
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Fault, Record
from cellxai.explain.precision import float32_products
from cellxai.files.progress_bar import progress

CHUNK_BYTES = 32 * 2**20  # of prepared pixels: 640 grey images of 224×224
MOST_IMAGES = 256  # in a chunk: what a killed run does again
MANY_CHUNKS = 4  # from here on a bar shows how far it is


@dataclass(frozen=True)
class Chunk:
    """Some images in their order, with what was computed of them.

    Args:
        records: Those that could be read.
        images: Their pixels, prepared.
        outputs: What the network made of each, on the CPU.
        broken: Why each of the others could not be read, by its id.
    """

    records: tuple[Record, ...]
    images: UInt8[Tensor, "n p h w"]
    outputs: Float[Tensor, "n ..."]
    broken: dict[str, Fault]


def stream_outputs(
    records: Sequence[Record],
    transforms: Transforms,
    network: Callable[[Float[Tensor, "b p h w"]], Float[Tensor, "b ..."]],
    device: torch.device,
    batch_size: int = 32,
) -> Iterator[Chunk]:
    """Decodes, prepares and computes chunk after chunk; a broken file costs itself and no other.

    Args:
        records: The images.
        transforms: What happens to an image before the network.
        network: Images in [0, 1] to one row each.
        device: Where the network computes.
        batch_size: Images per forward pass at most.
    """
    size = chunk_size(transforms)
    starts = range(0, len(records), size)
    for start in progress(starts, "images", len(starts), MANY_CHUNKS):
        wanted = records[start : start + size]
        prepared = prepare_all(wanted, transforms)
        read = {record.id for record in prepared.records}
        unread = [record.id for record in wanted if record.id not in read]
        broken = dict(zip(unread, prepared.faults, strict=True))
        outputs = run_batches(network, prepared.images, device, batch_size, transforms.n_inputs)
        yield Chunk(prepared.records, prepared.images, outputs, broken)


def chunk_size(transforms: Transforms) -> int:
    """Images in a chunk."""
    planes, height, width = transforms.shape
    return max(1, min(MOST_IMAGES, CHUNK_BYTES // (planes * height * width)))


@torch.inference_mode()
@float32_products("exact")
def run_batches(
    network: Callable[[Float[Tensor, "b p h w"]], Float[Tensor, "b ..."]],
    images: UInt8[Tensor, "n p h w"],
    device: torch.device,
    batch_size: int,
    n_inputs: int = 3,
) -> Float[Tensor, "n ..."]:
    """One row per image, on the CPU; none of no images."""
    batches = images.split(batch_size) if len(images) else ()
    rows = [network(to_batch(batch.to(device), n_inputs)).cpu() for batch in batches]
    return torch.cat(rows) if rows else torch.empty(0)
