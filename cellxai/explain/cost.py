"""Runs an explainer and counts what it costs."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cellxai.explain.base import Attribution, Context, Cost, Explainer, Model
from cellxai.explain.batch_size import clock_of
from cellxai.explain.verdict import with_verdict


def attribute_with_cost(
    explainer: Explainer,
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    context: Context,
) -> Attribution:
    """The attribution of a frozen model in evaluation mode, with its cost and verdict filled in.

    Forwards and backwards count images, not batches. Modes and ``requires_grad`` are as before
    when it returns.
    """
    counter = _Counter()
    with frozen(model), _counted(model, counter) as counted_model:
        memory = PeakMemory(images.device)
        start = clock_of(images.device)
        attribution = explainer.attribute(counted_model, images, targets, context)
        seconds = clock_of(images.device) - start
    cost = Cost(
        counter.forwards,
        counter.backwards,
        seconds,
        memory.bytes(),
        counter.largest_batch,
        counter.dtype,
    )
    return with_verdict(replace(attribution, cost=cost))


@contextmanager
def frozen(model: Model) -> Iterator[None]:
    """Evaluation mode without gradients of the parameters; both are given back at the end."""
    if not isinstance(model, nn.Module):
        yield
        return
    training = [module for module in model.modules() if module.training]
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        for module in training:
            module.training = True  # not .train(), which would also wake submodules put to sleep
        for parameter in trainable:
            parameter.requires_grad_(True)


class PeakMemory:
    """Most memory in use since this object was made, beyond what was in use then.

    On CUDA it is the memory of torch's allocator; on the CPU that of the whole process, where Linux
    tells it.

    Args:
        device: Where the work is done.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._before = torch.cuda.memory_allocated(device)
        else:
            _release_free_memory()
            self._before = _resident_bytes() if _forget_resident_peak() else None

    def bytes(self) -> int | None:
        """The peak until now; None where the system does not tell."""
        if self._before is None:
            return None
        on_cuda = self.device.type == "cuda"
        peak = torch.cuda.max_memory_allocated(self.device) if on_cuda else _resident_bytes("HWM")
        return max(peak - self._before, 0)


def _release_free_memory() -> None:
    # What the C library keeps for later counts as used: taking it again would not be seen.
    with suppress(OSError, AttributeError, TypeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


def _forget_resident_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak, and only that
    except OSError:
        return False
    return True


def _resident_bytes(which: Literal["RSS", "HWM"] = "RSS") -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"Vm{which}:"))


class _Counter:
    def __init__(self) -> None:
        self.forwards = 0
        self.backwards = 0
        self.largest_batch = 0
        self.dtype = ""

    def after_forward(self, model: nn.Module, inputs: object, scores: Tensor) -> None:
        self.count(scores)

    def count(self, scores: Tensor) -> None:
        self.forwards += len(scores)
        self.largest_batch = max(self.largest_batch, len(scores))
        self.dtype = self.dtype or str(scores.dtype).removeprefix("torch.")
        if scores.requires_grad:
            scores.register_hook(self._count_backward)

    def _count_backward(self, gradient: Tensor) -> None:
        self.backwards += len(gradient)


@contextmanager
def _counted(model: Model, counter: _Counter) -> Iterator[Model]:
    if isinstance(model, nn.Module):
        # A hook and no wrapper: Grad-CAM must find the layers under their names.
        handle = model.register_forward_hook(counter.after_forward)
        try:
            yield model
        finally:
            handle.remove()
        return

    def counting(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        scores = model(images)
        counter.count(scores)
        return scores

    yield counting
