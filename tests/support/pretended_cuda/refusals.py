"""What CUDA refuses: tensors of two devices, generators of the CPU, products of whole numbers."""

from typing import Any

import torch
from torch import Tensor

from pretended_cuda import counts, rules


class MixedDevicesError(RuntimeError):
    """What CUDA raises where tensors of two devices meet."""


def check_devices(func: Any, name: str, leaves: list[Any], on_device: list[Any]) -> None:
    """Refuses tensors of two devices; a number of the CPU may be among them where CUDA takes it."""
    if not on_device:
        return
    home = on_device[0].pretended
    for tensor in on_device:
        if tensor.pretended != home:
            raise MixedDevicesError(f"{name}: tensors on {home} and {tensor.pretended}")
    if name in rules.INDEXING:
        return  # which has rules of its own
    for tensor in leaves:
        if not isinstance(tensor, Tensor) or hasattr(tensor, "pretended"):
            continue
        if tensor.dim() == 0 and takes_scalars(func, name):
            continue
        raise MixedDevicesError(
            f"Expected all tensors to be on the same device, but found at least two devices, "
            f"{home} and cpu! (in {name}, a CPU tensor of shape {list(tensor.shape)})"
        )


def takes_scalars(func: Any, name: str) -> bool:
    return torch.Tag.pointwise in func.tags or name in rules.TAKES_SCALARS


def check_index(name: str, args: tuple[Any, ...]) -> None:
    """Refuses what may not index, or be assigned; an index of the CPU is copied."""
    source, indices = args[0], args[1]
    for index in indices:
        if index is None:
            continue
        if not hasattr(source, "pretended"):
            raise MixedDevicesError(
                "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
            )
        if not hasattr(index, "pretended"):
            counts.record_copy(index.numel() * index.element_size(), to_device=True)
        elif index.dtype in (torch.bool, torch.uint8):
            counts.record_sync("index by a mask")
    if name != "index" and len(args) > 2:
        value = args[2]
        if hasattr(source, "pretended") and not hasattr(value, "pretended") and value.dim() > 0:
            raise MixedDevicesError(f"{name}: values on cpu for a CUDA tensor")


def check_generator(leaves: list[Any], target: torch.device) -> None:
    for leaf in leaves:
        if isinstance(leaf, torch.Generator) and leaf.device.type != target.type:
            raise RuntimeError(
                f"Expected a '{target.type}' device type for generator but found "
                f"'{leaf.device.type}'"
            )


def check_numbers(name: str, first: Any) -> None:
    if name in rules.NO_INTEGERS and not (first.is_floating_point() or first.is_complex()):
        raise NotImplementedError(f'"{name}_cuda" not implemented for {first.dtype}')


def check_repeatable(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuses what is not repeatable where that was asked for, or takes it down."""
    if not torch.are_deterministic_algorithms_enabled():
        return
    if rules.is_unrepeatable(name, args, kwargs):
        counts.record_unrepeatable(name)
        if not torch.is_deterministic_algorithms_warn_only_enabled():
            raise RuntimeError(f"{name} does not have a deterministic implementation")
