"""How much of the work a device does at a time: the only place that knows caches and memories."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Budget:
    """What is in memory at a time, whatever the number of samples.

    Args:
        chunk_bytes: What one run writes for a chunk of samples.
        products_bytes: The same where products of features are written down and read twice.
        largest_chunk: Samples of a chunk at most.
        part: Samples in float64 that a first pass, or a start, reads at a time.
        distances: Distances from samples to the centres of k-means at a time.
    """

    chunk_bytes: int
    products_bytes: int
    largest_chunk: int
    part: int
    distances: int


BUDGETS = {
    # A share of the last-level cache; of products that of the cache of one core, for what is behind
    # it belongs to all: chunks of 8 MiB take twice as long where other work fills it.
    "cpu": Budget(2**23, 2**21, 2**15, 2**12, 2**18),
    # Enough for each kernel to fill a GPU, which a launch of microseconds is worth.
    "cuda": Budget(2**28, 2**28, 2**20, 2**18, 2**27),
}


def budget_of(device: torch.device) -> Budget:
    """What a device works on at a time."""
    return BUDGETS["cpu" if device.type == "cpu" else "cuda"]
