"""The batch size at which a device computes a model fastest, found by trying and remembered."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cellxai.explain.base import Model
from cellxai.explain.memory import most_tried
from cellxai.explain.perturbation import is_out_of_memory
from cellxai.files.folder import write_json
from cellxai.files.identity import hash_content, shorten

GAIN = 1.03  # a larger batch must be faster by this factor, or it is not worth its memory
GIVE_UP = 0.5  # of the best rate: caches or memory are full, and larger batches are slower still
REPEATS = 2  # the faster pass counts: other work of the machine can only slow a pass down
Clock = Callable[[torch.device], float]


def remembered_batch_size(path: Path, model: Model, image: Float[Tensor, "1 c h w"]) -> int:
    """:func:`best_batch_size`, tried once and then read from a file.

    If it were tried anew at each start, it would change with the load of the machine, and results
    would change with it in their last bits.

    Args:
        path: A JSON file of batch sizes by device, torch, size of the image, and network.
        model: Images to scores, in evaluation mode.
        image: An image of the size that will be computed.
    """
    known, key = read_batch_sizes(path), circumstances(model, image)
    if key not in known:
        known[key] = best_batch_size(model, image)
        write_json(path, known)
    return known[key]


def read_batch_sizes(path: Path) -> dict[str, int]:
    """The sizes that a file remembers; none where there is no file, or it is damaged."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return {key: int(size) for key, size in saved.items() if int(size) > 0}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def circumstances(model: Model, image: Float[Tensor, "1 c h w"]) -> str:
    """All that the fastest batch size depends on, as one line of text."""
    on_cuda = image.device.type == "cuda"
    threads = f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    device = torch.cuda.get_device_name(image.device) if on_cuda else f"CPU, {threads}"
    network = repr(model) if isinstance(model, nn.Module) else type(model).__qualname__
    size = "×".join(str(length) for length in image.shape[1:])
    return f"{device}; torch {torch.__version__}; {size}; {shorten(hash_content(network))}"


@torch.no_grad()
def best_batch_size(
    model: Model,
    image: Float[Tensor, "1 c h w"],
    most: int | None = None,
    clock: Clock | None = None,
) -> int:
    """The smallest power of two that gives about as many images per second as any.

    Results depend on it by rounding alone (1e-6 of a logit), and costs do not count these passes.

    Args:
        model: Images to scores, in evaluation mode.
        image: An image of the size that will be computed.
        most: The largest size to try; by default what the kind of device can use.
        clock: Tells the seconds once the device has done its work; :func:`clock_of` by default.
    """
    clock = clock or clock_of
    limit = most or most_tried(image.device)
    rates: dict[int, float] = {}
    size = 1
    model(image)  # the first pass also loads kernels
    while size <= limit:
        rates[size] = images_per_second(model, image.expand(size, -1, -1, -1), clock)
        if rates[size] < GIVE_UP * max(rates.values()):
            break
        size *= 2
    fastest = max(rates.values())
    return next(size for size, rate in rates.items() if GAIN * rate >= fastest)


def images_per_second(model: Model, images: Float[Tensor, "b c h w"], clock: Clock) -> float:
    """Images per second in forward passes of one batch; 0 where memory does not suffice."""
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
    """The time in seconds, once the device has done what was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # kernels are queued: without it only the queueing is timed
    return time.perf_counter()
