"""Statistics of samples that are read in chunks."""

import torch

from gmm.covariance import Covariance
from gmm.samples.in_memory import InMemory
from gmm.samples.statistics import Statistics, summarise, total


def statistics_of(
    x: torch.Tensor,
    resp: torch.Tensor,
    covariance: Covariance,
    size: int,
    reference: torch.Tensor | None = None,
) -> Statistics:
    """Sums over all chunks of a size, about the mean or another reference."""
    samples = InMemory(x)
    if reference is not None:
        samples.__dict__["reference"] = reference  # where a cached property keeps its value
    parts = zip(samples.chunks(covariance, size), resp.split(size, 2), strict=True)
    return total(summarise(chunk, part, part[:, 0]) for chunk, part in parts)
