"""Freed memory is kept where the C library can be told to."""

import platform
from pathlib import Path

import pytest
import torch

from cellxai.training.allocator import keep_freed_memory

N_FLOATS = 50_000_000  # 200 MB, far above what glibc would keep by itself


def resident_mib() -> float:
    """Memory of this process that is in use."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_a_freed_block_stays_with_the_process():
    assert keep_freed_memory()
    before = resident_mib()
    block = torch.ones(N_FLOATS)
    held = resident_mib() - before
    del block
    assert resident_mib() - before > 0.9 * held > 100


def test_another_c_library_changes_nothing(monkeypatch):
    monkeypatch.setattr("cellxai.training.allocator.ctypes.CDLL", lambda name: object())
    assert not keep_freed_memory()
