"""``torch.cuda`` as it answers where a device is; what it asks of a driver is made up."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import torch

from pretended_cuda.counts import record_sync
from pretended_cuda.guard import load_guard
from pretended_cuda.tensor import PretendedMode, current_device

N_DEVICES = 2
MEMORY = 139 * 2**30
_mode: PretendedMode | None = None


class Event:
    """A point in the queue of the device, which is never behind."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.at = time.perf_counter()

    def record(self, *_: Any, **__: Any) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        record_sync("event")

    def wait(self, *_: Any, **__: Any) -> None:
        pass

    def query(self) -> bool:
        return True

    def elapsed_time(self, other: "Event") -> float:
        return (other.at - self.at) * 1e3


class Stream:
    """The only queue there is."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.device = torch.device("cuda", 0)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def synchronize(self) -> None:
        record_sync("stream")

    def _ignore(self, *_: Any, **__: Any) -> None:
        pass

    wait_stream = wait_event = record_event = _ignore


class Properties:
    """What ``get_device_properties`` tells."""

    name = "pretended CUDA device"
    major, minor = 9, 0
    total_memory = MEMORY
    multi_processor_count = 132
    is_integrated = False


class Device:
    """``torch.cuda.device``: the current device of a block."""

    def __init__(self, device: Any) -> None:
        self.index = index_of(device)

    def __enter__(self) -> None:
        self.before = exchange(self.index)

    def __exit__(self, *_: Any) -> None:
        exchange(self.before)


def index_of(device: Any) -> int:
    if isinstance(device, int):
        return device
    index = None if device is None else torch.device(device).index
    return current_device[0] if index is None else index


def exchange(device: int | None) -> int:
    """Makes a device the current one, and says which was."""
    before = current_device[0]
    if device is not None and device >= 0:
        current_device[0] = device
    return before


def install() -> None:
    """From now on this process has CUDA devices; there is no way back."""
    if _mode is not None:
        return
    torch._C._ensureCUDADeviceGuardSet()
    load_guard()
    torch._C._set_only_lift_cpu_tensors(True)
    torch.autograd.set_multithreading_enabled(False)
    torch.backends.cudnn.enabled = False
    _move_modules()
    for name, answer in _answers().items():
        setattr(torch.cuda, name, answer)
    for name in ("manual_seed", "manual_seed_all", "get_rng_state", "set_rng_state"):
        setattr(torch.cuda.random, name, getattr(torch.cuda, name))
    torch._C._cuda_clearCublasWorkspaces = _always(None)
    torch._C._cuda_getDeviceCount = lambda: N_DEVICES
    torch.Tensor.pin_memory = lambda self, *_, **__: self
    enter_mode()


def enter_mode() -> None:
    """Sees what is made on the device; a test that ended in an error may have left the mode."""
    global _mode
    if torch.utils._python_dispatch._get_current_dispatch_mode() is None:
        _mode = PretendedMode()
        _mode.__enter__()


def _state() -> torch.Tensor:
    return torch.zeros(16, dtype=torch.uint8)


def _answers() -> dict[str, Any]:
    """Functions of ``torch.cuda`` by name."""
    names_of_memory = (
        "memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved",
    )  # fmt: skip
    ignored = (
        "_lazy_init", "init", "manual_seed", "manual_seed_all", "set_rng_state", "empty_cache",
        "set_rng_state_all", "reset_peak_memory_stats", "reset_accumulated_memory_stats",
        "ipc_collect",
    )  # fmt: skip
    return {
        **{name: _always(0) for name in names_of_memory},
        **{name: _always(None) for name in ignored},  # each its own: torch._dynamo compares them
        "is_initialized": _always(True),
        "is_available": _always(True),
        "is_bf16_supported": _always(True),
        "device_count": _always(N_DEVICES),
        "current_device": lambda: current_device[0],
        "set_device": lambda device: exchange(index_of(device)) and None,
        "get_device_name": _always(Properties.name),
        "get_device_capability": _always((Properties.major, Properties.minor)),
        "get_device_properties": lambda *_: Properties(),
        "mem_get_info": _always((MEMORY, MEMORY)),
        "synchronize": lambda *_: record_sync("torch.cuda.synchronize"),
        "Event": Event,
        "Stream": Stream,
        "current_stream": lambda *_: Stream(),
        "default_stream": lambda *_: Stream(),
        "stream": lambda _: contextlib.nullcontext(),
        "get_rng_state": lambda *_: _state(),
        "get_rng_state_all": lambda: [_state() for _ in range(N_DEVICES)],
        "_exchange_device": lambda device: exchange(device),
        "_maybe_exchange_device": lambda device: exchange(device),
        "device": Device,
    }


def _always(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


def _move_modules() -> None:
    """Parameters that move to another device become other objects, and lazy ones move late."""
    usual, infer = torch.nn.Module._apply, torch.nn.modules.lazy.LazyModuleMixin._infer_parameters

    def apply(self, fn, recurse=True):
        if any(torch.nn.parameter.is_lazy(p) for p in self._parameters.values()):
            self.__dict__["_pretended_move"] = fn  # once it knows its shape
            return self
        future = torch.__future__
        before = future.get_overwrite_module_params_on_conversion()
        future.set_overwrite_module_params_on_conversion(True)
        try:
            return usual(self, fn, recurse)
        finally:
            future.set_overwrite_module_params_on_conversion(before)

    def infer_parameters(self, module, args, kwargs=None):
        infer(self, module, tuple(torch.empty(a.shape, dtype=a.dtype) for a in args), kwargs)
        fn = module.__dict__.pop("_pretended_move", None)
        if fn is not None:
            module._apply(fn)

    torch.nn.Module._apply = apply
    torch.nn.modules.lazy.LazyModuleMixin._infer_parameters = infer_parameters
