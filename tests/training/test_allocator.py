"""Freed memory is kept where the C library can be told to."""

import platform
import subprocess
import sys

import pytest

from cellxai.training.allocator import keep_freed_memory

# In a process of its own: one that has kept memory before takes the block from there.
TAKES_AND_FREES = """
from pathlib import Path
import torch
from cellxai.training.allocator import keep_freed_memory

def resident_mib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

assert keep_freed_memory()
before = resident_mib()
block = torch.ones(50_000_000)  # 200 MB, far above what glibc would keep by itself
held = resident_mib() - before
del block
assert resident_mib() - before > 0.9 * held > 100
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_a_freed_block_stays_with_the_process():
    done = subprocess.run(
        [sys.executable, "-c", TAKES_AND_FREES], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr


def test_another_c_library_changes_nothing(monkeypatch):
    monkeypatch.setattr("cellxai.training.allocator.ctypes.CDLL", lambda name: object())
    assert not keep_freed_memory()
