"""What a model writes over: which tensor a call writes into, and the copies that are needed then.

A network may work in place and ignore the answer (``self.relu(y)``, ``y.add_(z)``). Torch forbids
this where the backward pass needs the old values; other rules need more of them than torch does.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

MOVING_IN_PLACE = frozenset(
    {"__setitem__", "copy_", "fill_", "zero_", "detach_", "requires_grad_", "t_"}
    | {f"{name}_" for name in ("squeeze", "unsqueeze", "transpose", "swapaxes", "swapdims")}
)  # they only move values, or write constants: torch's own gradient is right by any rule


class _SavedTensor:
    def __init__(self, tensor: Tensor) -> None:
        # Detached: a saved output would otherwise hold the graph that holds it.
        self.tensor = tensor.detach()


class _SavedTensors(threading.local):
    def __init__(self) -> None:
        self.alive: WeakSet[_SavedTensor] = WeakSet()


_SAVED = _SavedTensors()


def saving_for_backward() -> saved_tensors_hooks:
    """While it is entered, what the backward pass needs survives :func:`copy_before_writing`."""
    return saved_tensors_hooks(_save, lambda saved: saved.tensor)


def copy_before_writing(target: Tensor) -> None:
    """Gives the backward pass copies of what shares memory with a tensor that will change."""
    memory = target.untyped_storage().data_ptr()
    for saved in list(_SAVED.alive):
        if saved.tensor.untyped_storage().data_ptr() == memory:
            saved.tensor = saved.tensor.clone()


def written_tensor(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """The tensor that a call of a torch function writes into; None where it makes a new one."""
    if kwargs.get("out") is not None:
        return kwargs["out"] if isinstance(kwargs["out"], Tensor) else None
    of_name = name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
    if not (of_name or kwargs.get("inplace") is True):
        return None
    target = args[0] if args else kwargs.get("input")
    return target if isinstance(target, Tensor) else None


def copying_function(name: str, function: Callable[..., Any]) -> Callable[..., Any] | None:
    """The function that answers with a new tensor where this one writes; None without one."""
    if not name.endswith("_") or name.endswith("__"):
        return function
    homes = (getattr(home, name.removesuffix("_"), None) for home in (Tensor, torch, F))
    return next((copying for copying in homes if callable(copying)), None)


def _save(tensor: Tensor) -> _SavedTensor:
    saved = _SavedTensor(tensor)
    _SAVED.alive.add(saved)
    return saved
