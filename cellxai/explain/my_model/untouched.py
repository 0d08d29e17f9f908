"""Nothing of the caller's changes: modes, gradients, hooks, buffers, random states."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from cellxai.explain.cost import modules_of, parameters_of

HOOKS = (
    "_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called",
    "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs", "_backward_hooks",
    "_backward_pre_hooks",
)  # fmt: skip
NO_HOOKS: Mapping[int, object] = {}


@contextmanager
def untouched(model: object) -> Iterator[None]:
    """Gives back at the end, however the block ends, what explaining a model could change.

    Each submodule's mode and hooks, ``requires_grad`` and ``.grad`` of each parameter, all buffers
    (a model may write into them in evaluation mode, too), and the states of Python's, NumPy's and
    torch's random numbers, on the model's devices.
    """
    guarded = Guarded(model) if isinstance(model, nn.Module) else None
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = [] if guarded is None else guarded.cuda_devices
    with torch.random.fork_rng(devices) if torch.cuda.is_available() else _forked_cpu():
        try:
            yield
        finally:
            if guarded is not None:
                guarded.give_back()
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


@contextmanager
def _forked_cpu() -> Iterator[None]:
    # Without CUDA, fork_rng would still look for it at every call.
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)


class Guarded:
    """What a module was like when this was made.

    Values of parameters are not kept, which could be gigabytes: nothing here writes into them.

    Args:
        model: The module.
    """

    def __init__(self, model: nn.Module) -> None:
        modules = modules_of(model)
        self._modes = [(module, module.training) for module in modules]
        self._gradients = [
            (parameter, parameter.requires_grad, parameter.grad, _copy(parameter.grad))
            for parameter in parameters_of(modules)
        ]
        self._buffers = [
            (module, name, buffer, _copy(buffer))
            for module in modules
            for name, buffer in module._buffers.items()
        ]
        self._hooks = [
            (hooks, dict(hooks) if hooks else NO_HOOKS)
            for module in modules
            for hooks in map(vars(module).get, HOOKS)
            if hooks is not None
        ]

    @property
    def cuda_devices(self) -> list[torch.device]:
        """The CUDA devices that its parameters lie on."""
        return list({p.device for p, *_ in self._gradients if p.device.type == "cuda"})

    def give_back(self) -> None:
        """Makes all as it was."""
        for module, training in self._modes:
            if module.training != training:  # to set it takes torch longer than to look
                module.training = training  # not .train(), which would also change submodules
        for parameter, required, gradient, content in self._gradients:
            if parameter.requires_grad != required:
                parameter.requires_grad_(required)
            if parameter.grad is not gradient or gradient is not None:
                parameter.grad = _restored(gradient, content)
        for module, name, buffer, content in self._buffers:
            module._buffers[name] = _restored(buffer, content)
        for hooks, before in self._hooks:
            if (hooks or before) and hooks != before:
                hooks.clear()
                hooks.update(before)


Copied = tuple[Tensor, int] | None


def _copy(tensor: Tensor | None) -> Copied:
    """Content and version: the version tells whether anyone has written."""
    if tensor is None:
        return None
    content = tensor.detach() if tensor.requires_grad else tensor
    return content.clone(), -1 if tensor.is_inference() else tensor._version


def _restored(tensor: Tensor | None, copied: Copied) -> Tensor | None:
    if tensor is None or copied is None:
        return tensor
    content, version = copied
    if tensor.is_inference() or tensor._version != version:
        with torch.inference_mode() if tensor.is_inference() else nullcontext(), torch.no_grad():
            tensor.copy_(content)
    return tensor
