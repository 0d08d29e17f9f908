"""The precision that a computation was written for, whatever its surroundings have switched on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch

DEVICES = ("cpu", "cuda", "mps", "xpu")  # kinds of device that autocast can be on for
IN_FULL = ("none", "ieee")  # what a switch of float32 products says where they keep their digits

P = ParamSpec("P")
R = TypeVar("R")


def full_precision() -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: products in the function keep the precision of their factors.

    Under ``torch.autocast``, as in a validation step in mixed precision, float32 samples would be
    fitted and scored with products of three digits; so they would where TF32 is allowed.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def compute(*args: P.args, **kwargs: P.kwargs) -> R:
            if not is_reduced():
                return function(*args, **kwargs)
            with _switched_off():
                return function(*args, **kwargs)

        return compute

    return decorate


def is_reduced() -> bool:
    """Whether something may compute with fewer digits than its numbers have."""
    return any(switch.fp32_precision not in IN_FULL for switch in _switches()) or any(
        map(torch.is_autocast_enabled, DEVICES)
    )


def _switches() -> tuple[Any, ...]:
    # Not torch.get_float32_matmul_precision, which is an error where somebody has set
    # torch.backends.fp32_precision, and says "high" where products are exact again.
    backends: Any = torch.backends
    return backends.cuda.matmul, backends.mkldnn.matmul


@contextmanager
def _switched_off() -> Iterator[None]:
    with ExitStack() as stack:
        for switch in _switches():
            stack.callback(setattr, switch, "fp32_precision", switch.fp32_precision)
            switch.fp32_precision = "ieee"
        for device in DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield
