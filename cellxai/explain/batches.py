"""The batch size at which a device computes a model fastest, found by trying."""

import time
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.base import Model
from cellxai.explain.perturbation import is_out_of_memory

GAIN = 1.03  # a larger batch must be faster by this: what it gains less, it costs in memory
WORSE = 0.5  # of the best rate: caches or memory are full, and larger batches would be slower still
MOST_ON_CUDA, MOST_ON_CPU = 1024, 32
REPEATS = 2  # the faster counts: what else the machine does can only slow a pass down


@torch.no_grad()
def best_batch_size(
    model: Model,
    image: Float[Tensor, "1 c h w"],
    most: int | None = None,
    clock: Callable[[torch.device], float] | None = None,
) -> int:
    """The smallest power of two that gives about as many images per second as any.

    Results depend on it by rounding alone (1e-6 of a logit), and costs do not count these passes.

    Args:
        model: Images to scores, in evaluation mode.
        image: Of the size that will be computed.
        most: The largest to try; by default what the kind of device can use.
        clock: Seconds when the device has done its work.
    """
    clock = clock or clock_of
    limit = most or (MOST_ON_CUDA if image.device.type == "cuda" else MOST_ON_CPU)
    rates: dict[int, float] = {}
    size = 1
    model(image)  # the first pass also loads kernels
    while size <= limit:
        rates[size] = images_per_second(model, image.expand(size, -1, -1, -1), clock)
        if rates[size] < WORSE * max(rates.values()):
            break
        size *= 2
    fastest = max(rates.values())
    return next(size for size, rate in rates.items() if GAIN * rate >= fastest)


def images_per_second(
    model: Model, images: Float[Tensor, "b c h w"], clock: Callable[[torch.device], float]
) -> float:
    """Rate of forward passes of one batch; 0 where memory does not suffice."""
    try:
        seconds = []
        for _ in range(REPEATS):
            start = clock(images.device)
            model(images)
            seconds.append(clock(images.device) - start)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return 0.0
    return len(images) / max(min(seconds), 1e-9)


def clock_of(device: torch.device) -> float:
    """Seconds, once the device has done what was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # kernels are queued: without it only the queueing is timed
    return time.perf_counter()
