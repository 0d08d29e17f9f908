"""How long work takes on a GPU, and what it is made of."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

Numbers = dict[str, Any]


def timed(work: Callable[[], object], repeats: int = 5, warm: int = 2) -> Numbers:
    """Median and least milliseconds, by events in the queue of the device."""
    for _ in range(warm):
        work()
    torch.cuda.synchronize()
    milliseconds = [milliseconds_of(work) for _ in range(repeats)]
    return {"median_ms": statistics.median(milliseconds), "least_ms": min(milliseconds)}


def milliseconds_of(work: Callable[[], object]) -> float:
    begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begun.record()
    work()
    ended.record()
    torch.cuda.synchronize()
    return begun.elapsed_time(ended)


def profiled(work: Callable[[], object]) -> Numbers:
    """Kernels, waits of the host, the share of time the GPU was busy, and its longest kernels."""
    from torch.profiler import ProfilerActivity, profile

    work()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        begun = time.perf_counter()
        work()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - begun
    events = profiler.events() or []
    kernels = [event for event in events if str(event.device_type).endswith("CUDA")]
    waits = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")
    busy = sum(event.time_range.elapsed_us() for event in kernels) / 1e6
    longest = sorted(profiler.key_averages(), key=lambda key: -key.device_time_total)[:8]
    return {
        "kernels": len(kernels),
        "waits": sum(event.name in waits for event in events),
        "gpu_busy": round(busy / seconds, 3),
        "longest_ms": {key.key[:60]: round(key.device_time_total / 1e3, 3) for key in longest},
    }


def apart(there: torch.Tensor, here: torch.Tensor) -> float:
    """Largest difference between a result of the GPU and one of the CPU."""
    return float((there.detach().cpu().double() - here.detach().double()).abs().max())


def relative(there: torch.Tensor, here: torch.Tensor) -> float:
    """Length of the difference, as a share of that of the CPU's result."""
    here = here.detach().double()
    return float((there.detach().cpu().double() - here).norm() / here.norm().clamp_min(1e-30))


def ceilings(tiny: bool) -> Numbers:
    """What the machine can do at most: every later number is a share of these."""
    n = 2**20 if tiny else 2**30
    x = torch.empty(n, device="cuda")
    y = torch.empty_like(x)
    found: Numbers = {"copy_TB_s": 8 * n / timed(lambda: y.copy_(x))["median_ms"] / 1e9}
    side = 128 if tiny else 8192
    matmul: Any = torch.backends.cuda.matmul
    for dtype, allowed in (
        (torch.float32, False), (torch.float32, True), (torch.bfloat16, False),
        (torch.float64, False),
    ):  # fmt: skip
        matmul.allow_tf32 = allowed
        a = torch.randn(side, side, device="cuda").to(dtype)
        name = f"gemm_{str(dtype).removeprefix('torch.')}{'_tf32' * allowed}_TFLOPS"
        found[name] = 2 * side**3 / timed(lambda a=a: a @ a)["median_ms"] / 1e9
    matmul.allow_tf32 = False
    return found
