"""What a pretended device did: launches, synchronisations, copies and bytes, by line of source."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import torch
from torch import Tensor

PROJECT = ("/cellxai/", "/gmm/", "/scripts/")
FOREIGN = ("site-packages", "/tests/")


@dataclass
class Counts:
    """What was counted while it was watched.

    Args:
        launches: Kernels by operation.
        launched_at: Kernels by line of the project.
        syncs: Waits of the host for the device, by kind and line.
        to_device: Bytes copied to the device, by line.
        to_host: Bytes copied to the host, by line.
        bytes: Bytes that kernels read and wrote, by operation; none is taken to stay in a cache.
        unrepeatable: Operations without a deterministic form while one was asked for.
    """

    launches: Counter[str] = field(default_factory=Counter)
    launched_at: Counter[str] = field(default_factory=Counter)
    syncs: Counter[tuple[str, str]] = field(default_factory=Counter)
    to_device: Counter[str] = field(default_factory=Counter)
    to_host: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    unrepeatable: Counter[str] = field(default_factory=Counter)

    @property
    def n_launches(self) -> int:
        return self.launches.total()

    @property
    def n_syncs(self) -> int:
        return self.syncs.total()

    def __str__(self) -> str:
        """A table to find out from where the time would go."""
        lines = [
            f"{self.n_launches} launches, {self.n_syncs} synchronisations, "
            f"{self.bytes.total() / 1e9:.3f} GB, {self.to_device.total() / 1e6:.3f} MB to the "
            f"device, {self.to_host.total() / 1e6:.3f} MB to the host"
        ]
        for counter in (self.launches, self.launched_at, self.syncs, self.to_device, self.to_host):
            lines.append(", ".join(f"{key} {n}" for key, n in counter.most_common(20)))
        return "\n".join(lines)


_watching: list[Counts] = []


@contextmanager
def counted() -> Iterator[Counts]:
    """Counts all that the device does in the block."""
    counts = Counts()
    _watching.append(counts)
    try:
        yield counts
    finally:
        _watching.remove(counts)


def is_watched() -> bool:
    return bool(_watching)


def record_sync(kind: str) -> None:
    """The host waits for the device."""
    for counts in _watching:
        counts.syncs[kind, place()] += 1


def record_unrepeatable(operation: str) -> None:
    for counts in _watching:
        counts.unrepeatable[f"{operation} at {place()}"] += 1


def record_copy(size: int, *, to_device: bool) -> None:
    """Bytes between host and device."""
    for counts in _watching:
        (counts.to_device if to_device else counts.to_host)[place()] += size


def record_launch(operation: str, tensors: list[Tensor]) -> None:
    """A kernel, and what it reads and writes."""
    for counts in _watching:
        counts.launches[operation] += 1
        counts.launched_at[place()] += 1
        counts.bytes[operation] += sum(map(stored_bytes, tensors))


def stored_bytes(tensor: Tensor) -> int:
    """Bytes behind a tensor: an expanded axis is one row in memory."""
    if tensor.layout != torch.strided:
        return 0
    n = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        n *= size if stride or size == 1 else 1
    return n * tensor.element_size()


def place() -> str:
    """The innermost line of the project that is running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not any(part in name for part in FOREIGN):
            for part in PROJECT:
                if part in name:
                    return f"{name[name.rindex(part) + 1 :]}:{frame.f_lineno}"
        frame = frame.f_back
    return "elsewhere"
