"""Runs an explainer and counts what it costs."""

import ctypes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cellxai.explain.answers import ScoreWatch, check_answer, check_targets
from cellxai.explain.base import (
    Attribution,
    Context,
    Cost,
    Explainer,
    Model,
    unsupported_attribution,
)
from cellxai.explain.batch_size import clock_of
from cellxai.explain.finite import finite_images
from cellxai.explain.precision import float32_products
from cellxai.explain.verdict import (
    UNKNOWN_PIXELS,
    with_verdict,
    without_unknown_pixels,
    without_unknown_scores,
)


def attribute_with_cost(
    explainer: Explainer,
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    context: Context,
    memory: bool = True,
) -> Attribution:
    """The attribution of a frozen model in evaluation mode, with its cost and verdict filled in.

    Forwards and backwards count images, not batches. Modes and ``requires_grad`` are as before
    when it returns; the caller may be in ``torch.no_grad`` or ``torch.inference_mode``.

    Args:
        explainer: What answers.
        model: Images in [0, 1] to scores.
        images: The images to explain.
        targets: The explained column of each.
        context: What all explainers share.
        memory: Whether the peak of memory is measured. On the CPU, free memory is given back to the
            system for that, and to take it again costs a gradient map a tenth of its time.

    Raises:
        TypeError: If the model's or the explainer's answer is of another kind than expected.
        ValueError: If a target is no column of the scores, or the answer has another shape.
    """
    check_targets(targets)
    images, context = outside_of_inference(images, context)
    known = finite_images(images)
    if not known.any():
        return unsupported_attribution(images, UNKNOWN_PIXELS)
    watch = ScoreWatch(targets)
    with (
        gradients_possible(),
        frozen(model),
        float32_products(context.precision),
        _watched(model, watch) as watched_model,
    ):
        peak = PeakMemory(images.device) if memory else None
        start = clock_of(images.device)
        try:
            attribution = explainer.attribute(watched_model, images, targets, context)
        except RuntimeError as error:
            if IN_PLACE not in str(error):
                raise
            return unsupported_attribution(images, OVERWRITTEN)
        seconds = clock_of(images.device) - start
        peak_bytes = None if peak is None else peak.bytes()
        check_answer(explainer, attribution, images)
        if watch.saw_unknown_scores:
            attribution = without_unknown_scores(attribution, model, images, targets, context)
    cost = Cost(
        watch.forwards, watch.backwards, seconds, peak_bytes, watch.largest_batch, watch.dtype
    )
    rounding = 0.0 if explainer.is_control else watch.rounding
    return with_verdict(without_unknown_pixels(replace(attribution, cost=cost), known), rounding)


IN_PLACE = "modified by an inplace operation"
OVERWRITTEN = "the network writes in place over what its gradient needs, which torch forbids"


@contextmanager
def gradients_possible() -> Iterator[None]:
    """Gradients for the work inside, whatever the caller has switched off."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def outside_of_inference(
    images: Float[Tensor, "b c h w"], context: Context
) -> tuple[Float[Tensor, "b c h w"], Context]:
    """Copies that gradients may reach, of tensors made in ``torch.inference_mode``."""
    with torch.inference_mode(False):
        # A lazy context has no baseline yet, and makes one that gradients reach.
        if "baseline" in vars(context) and context.baseline.is_inference():
            context = replace(context, baseline=context.baseline.clone())
        return images.clone() if images.is_inference() else images, context


@contextmanager
def frozen(model: Model) -> Iterator[None]:
    """Evaluation mode without gradients of the parameters; both are given back at the end."""
    if not isinstance(model, nn.Module):
        yield
        return
    modules = modules_of(model)
    training = [module for module in modules if module.training]
    trainable = [p for p in parameters_of(modules) if p.requires_grad]
    if training:  # to set what is set takes torch longer than some gradients
        model.eval()
    for parameter in trainable:
        parameter.requires_grad_(False)  # not on the module: TorchScript does not have it
    try:
        yield
    finally:
        for module in training:
            module.training = True  # not .train(), which would also wake submodules put to sleep
        for parameter in trainable:
            parameter.requires_grad_(True)


def modules_of(model: nn.Module) -> list[nn.Module]:
    """The model and every module inside, once each.

    ``model.modules()`` makes the name of each on the way, which takes longer than a small gradient.
    """
    found, waiting = {id(model): model}, [model]
    while waiting:
        for module in waiting.pop()._modules.values():
            if module is not None and id(module) not in found:
                found[id(module)] = module
                waiting.append(module)
    return list(found.values())


def parameters_of(modules: Iterable[nn.Module]) -> list[nn.Parameter]:
    """The parameters of these modules themselves, once each."""
    found = {id(p): p for module in modules for p in module._parameters.values() if p is not None}
    return list(found.values())


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


@contextmanager
def _watched(model: Model, watch: ScoreWatch) -> Iterator[Model]:
    if isinstance(model, nn.Module) and not isinstance(model, torch.jit.ScriptModule):
        # A hook and no wrapper: Grad-CAM must find the layers under their names.
        handle = model.register_forward_hook(lambda _, __, scores: watch.note(scores))
        try:
            yield model
        finally:
            handle.remove()
        return

    def watched(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        scores = model(images)
        watch.note(scores)
        return scores

    yield watched
