"""What an attribution costs, counted while it is made."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cellxai.explain.base import Attribution, Context, Cost, Explainer, Model


def measured(
    explainer: Explainer,
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    context: Context,
) -> Attribution:
    """The attribution of a frozen model in evaluation mode, with its cost filled in.

    Forwards and backwards count images, not batches. Modes and ``requires_grad`` are as before
    when it returns.
    """
    counter = _Counter()
    with frozen(model), _counted(model, counter) as counted_model:
        start = _clock(images.device)
        attribution = explainer.attribute(counted_model, images, targets, context)
        seconds = _clock(images.device) - start
    return replace(attribution, cost=Cost(counter.forwards, counter.backwards, seconds))


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


class _Counter:
    def __init__(self) -> None:
        self.forwards = 0
        self.backwards = 0

    def after_forward(self, model: nn.Module, inputs: object, logits: Tensor) -> None:
        self.count(logits)

    def count(self, logits: Tensor) -> None:
        self.forwards += len(logits)
        if logits.requires_grad:
            logits.register_hook(self._count_backward)

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
        logits = model(images)
        counter.count(logits)
        return logits

    yield counting


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # kernels are queued: without it only the queueing is timed
    return time.perf_counter()
