"""Keeping freed memory, so that a training step on the CPU does not ask for all of it anew."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names and numbers of glibc's malloc.h
EVERYTHING = 2**31 - 1


def keep_freed_memory() -> bool:
    """Makes the C library reuse large blocks instead of returning them to the system.

    glibc maps every block above 32 MiB anew and unmaps it when it is freed, and the system then
    clears each of its pages again: in every layer of every step. ``make bench-train`` shows what
    that costs. In return the process keeps its peak of memory until it ends.

    Returns:
        Whether there is such a C library: not outside Linux, nor with musl.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, EVERYTHING))
