"""The precision that a computation was written for, whatever its surroundings have switched on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

DEVICES = ("cpu", "cuda", "mps", "xpu")  # kinds of device that autocast can be on for


@contextmanager
def full_precision() -> Iterator[None]:
    """Products keep the precision of their factors inside; also to be used as a decorator.

    Under ``torch.autocast``, as in a validation step in mixed precision, float32 samples would be
    fitted and scored with products of three digits; so they would where TF32 is allowed.
    """
    allowed = torch.get_float32_matmul_precision()
    with ExitStack() as stack:
        if allowed != "highest":
            torch.set_float32_matmul_precision("highest")
            stack.callback(torch.set_float32_matmul_precision, allowed)
        for device in DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield
